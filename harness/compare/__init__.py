"""Two runs against each other, cell by cell and by distribution: what got slower, what is missed now, what is new.

Pure: records in, a ``Comparison`` out. docs/compare.md says why it is done so, with the figures it was made from.
"""
