"""A client with a pool of connections, a server that closes idle ones, and what a request meets in between.

In reading order: ``strategies`` (what a client can do about it), ``options`` (what is asked), ``schedule`` (when each
connection is used, so that shares are stable), ``room`` (one strategy's client and server in the lab), ``trouble``
(what becomes of the server), ``fins`` (when each connection's end passed the router), ``count`` (from all that to
shares and races), ``record`` (what is printed and kept), ``run``. The programs on the hosts are ``endpoints/pool*``.
"""
