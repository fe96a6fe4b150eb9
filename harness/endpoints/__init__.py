"""The two programs under test. Standard library only and Python 3.8 or later: they are copied to the hosts.

In reading order: ``loop`` (one epoll, timers), ``wire`` (JSON lines), ``signs`` (what an error means), ``options``
(what is set on a socket, and read back), ``connection`` (one TCP connection and its traffic), ``endpoint`` (a process
holding connections), ``agent`` (the process that starts, stops and kills endpoints on a host).

What an agent does on its host besides: ``hand`` (the questions), ``facts``, ``jiffies``, ``netlink``, ``tap`` with
``flows`` and ``frames`` (packets), and what takes a fault back whoever dies: ``undo``, ``guard``, ``lease``.

``bundle`` is the controller's side: it packs the others so that they travel over a pipe and leave no file; ``stub``
is what unpacks them.
"""
