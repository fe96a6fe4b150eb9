"""The lab on one Linux machine: links and packets, and nothing about what they are used for.

In the order in which they are used:

``errors``     what may go wrong, each in one sentence.
``syscalls``   unshare, setns, clone, mount and prctl, which Python 3.11 does not have.
``enter``      the program enters private user, mount, PID and network namespaces.
``anchor``     PID 1 of the private PID namespace: when the program dies, all it started dies.
``namespace``  one network namespace: run a function in it, start a process in it, read its sysctls and sockets.
``sockets``    every TCP socket of a namespace, by sock_diag.
``netlink``    many netlink messages (pyroute2's classes) in one system call.
``wiring``     the links, addresses, neighbours and routes of the lab, as messages.
``lab``        client - router - server.
``nft``        the nftables messages that the faults are made of.
``filter``     packet faults in the router, and their undoing; ``nat`` the one that forgets connections (``tracked``).
``between``    the same in a router that has other packets too: bound to two addresses, and by ``flownat``, which needs
               a ``cttimeout``, to single connections.
``capture``    packet sockets on the router's two links.

Everything is synchronous; call it from one thread that has no event loop. Nothing imports ``harness``.
"""
