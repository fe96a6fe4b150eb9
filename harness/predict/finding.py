"""What one detector says: who notices, with which sign, and when. Instants are CLOCK_MONOTONIC seconds."""

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """``hi`` None: without bound. ``exact`` None: not determined. ``sure``: it happens unless another is earlier.

    ``timer``: the kernel's timer behind it, if it is the kernel's.
    """

    by: str
    sign: str
    lo: float
    hi: float | None
    exact: float | None = None
    sure: bool = True
    timer: str = ""
