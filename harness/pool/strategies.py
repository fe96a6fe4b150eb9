"""What a client with a pool can do about connections that the server has closed: look before use, or try again."""

from typing import Literal

import msgspec

Kind = Literal["nothing", "check", "reader", "retry", "hedge"]


class Strategy(msgspec.Struct, frozen=True):
    """``what``: what it does, in words. A check has its name in endpoints/pool_checks.py."""

    name: str
    kind: Kind
    what: str

    @property
    def check(self) -> str:
        """What the client's pool is told to look with."""
        return {"check": self.name, "reader": "background"}.get(self.kind, "")

    @property
    def looks(self) -> bool:
        return self.kind in ("check", "reader")


STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        Strategy("none", "nothing", "use the connection as it is"),
        Strategy("read", "check", "non-blocking read of one byte (readClosed)"),
        Strategy("peek", "check", "the same with MSG_PEEK"),
        Strategy("poll", "check", "poll() for POLLRDHUP, POLLHUP, POLLERR"),
        Strategy("so-error", "check", "getsockopt(SO_ERROR)"),
        Strategy("tcp-info", "check", "TCP_INFO: is the state ESTABLISHED?"),
        Strategy("zero-recv", "check", "recvfrom() of zero bytes (CheckFdCloseWait)"),
        Strategy("zero-read", "check", "read() of zero bytes"),
        Strategy("background", "reader", "epoll on all idle connections"),
        Strategy("retry", "retry", "after an error, once more, at once"),
        Strategy("retry-n", "retry", "after an error, up to --retries more, at once"),
        Strategy("backoff", "retry", "the same, after --backoff, doubled each time"),
        Strategy("hedge", "hedge", "a second request on another connection after --hedge-after"),
    )
}
