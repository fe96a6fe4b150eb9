"""The two programs of the first document, for two terminals: ``invoke server`` and ``invoke client``.

A connection is ``harness.endpoints.connection``, the same that serves the lab: how it reads, writes, closes and tells
a FIN from an RST is written once, there. Here is what a person adds: names and ports, lines of text, the verdict.

In reading order: ``options`` (what can be asked), ``words`` (what is said), ``opening`` (from a name to a socket, and
one line where there is none), ``server``, ``client``.
"""
