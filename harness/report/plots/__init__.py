"""Plots of a run, drawn as SVG: the same drawing stands in the page, in the files, and behind the PNG.

``svg`` elements and panels; ``palette`` colours, light and dark; ``scale`` axes; then one file per plot; ``files``
writes them. A plot is a list of panels: the page lets them flow, a file stacks them.
"""
