"""The settings that are being tuned: as asked for (``Asked``) and as they stand on a socket (``Settings``).

Ranges are those that the kernel enforces with EINVAL (tcp(7); net/ipv4/tcp.c, do_tcp_setsockopt; kernel 6.18).
Units are in the names: ``_s`` seconds, ``_ms`` milliseconds.
"""

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings in force on the survivor's socket. The defaults are Linux's own; in a record all are read back."""

    keepalive: bool = False
    idle_s: int = 7200
    interval_s: int = 75
    count: int = 9
    user_timeout_ms: int = 0
    read_deadline_s: float | None = None
    write_deadline_s: float | None = None
    deadline_by: str = "poll"
    heartbeat_s: float | None = None
    heartbeat_misses: int = 2
    retries2: int = 15
    rto_max_ms: int = 120_000
    syn_count: int = 6
    syn_linear: int = 4


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Settings as a person gave them: None means not given, so the kernel's default stays.

    ``idle_s`` given switches SO_KEEPALIVE on.
    """

    idle_s: int | None = None
    interval_s: int | None = None
    count: int | None = None
    user_timeout_ms: int | None = None
    read_deadline_s: float | None = None
    write_deadline_s: float | None = None
    deadline_by: str = "poll"
    heartbeat_s: float | None = None
    heartbeat_misses: int = 2
    retries2: int | None = None
    rto_max_ms: int | None = None
    syn_count: int | None = None

    def over(self, base: Settings) -> Settings:
        """Return ``base`` with everything that was asked for laid over it."""
        given = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        return msgspec.structs.replace(base, keepalive=self.idle_s is not None, **given)
