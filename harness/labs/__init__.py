"""Where it runs. A lab is a place, and places are equals: what runs on a host is the same agent everywhere, and what an
experiment asks of a lab is the same protocol (``protocols``). ``agent`` drives a host's agent over two pipes; ``local``
is the lab of network namespaces.
"""
