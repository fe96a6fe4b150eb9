"""How many connections may be held at the same time: RLIMIT_NOFILE (getrlimit(2)), which the agents inherit."""

import resource

# An endpoint process holds one descriptor per connection and, while it opens one, a listener; the rest is its own.
_OWN = 100
# More than this many tasks and sockets were never tried.
_MOST = 20_000


def most_at_once() -> int:
    """Raise the soft limit of open files to the hard one; return how many trials may run at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST + _OWN if hard == resource.RLIM_INFINITY else min(hard, _MOST + _OWN)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    limit = wanted if soft == resource.RLIM_INFINITY else soft
    return max(1, min(_MOST, limit - _OWN))
