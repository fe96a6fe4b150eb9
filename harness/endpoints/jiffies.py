"""The jiffy clock: how fast it ticks (HZ), and what it reads at a given instant of CLOCK_MONOTONIC.

The kernel's timer wheel works in jiffies, so an exact prediction needs both. Facts:

- CLOCK_MONOTONIC_COARSE advances once a tick, and clock_getres(2) of it is TICK_NSEC = round(10^9 / HZ) (time(7),
  kernel/time/hrtimer.c). No privilege, no configuration file.
- Ticks sit on multiples of TICK_NSEC of CLOCK_MONOTONIC (kernel/time/tick-common.c), so the counter at ``t_ns`` is
  ``t_ns // TICK_NSEC + offset``. It starts at 2^32 - 300 HZ, and the wheel counts on it (include/linux/jiffies.h).
- /proc/timer_list prints the counter and the instant, for real root only.
- times(2) returns floor(jiffies * TICK_NSEC / 10^7) to anybody (kernel/time/time.c, jiffies_64_to_clock_t).

Instants are integer nanoseconds, because at HZ=300 TICK_NSEC is 3333333 and rounding would drift.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

_CLOCK_MONOTONIC_COARSE = 6  # linux/time.h; the time module does not name it
_USER_TICK_NS = 10_000_000  # USER_HZ is 100 on every architecture but alpha and ia64
_PLAUSIBLE = range(24, 1201)
_BUDGET_NS = 60_000_000
_MOST_SAMPLES = 64
_AGREEING_STEPS = 3


class Text(Protocol):
    """A file, as pathlib has it."""

    def read_text(self) -> str: ...


class _TimerList:
    def read_text(self) -> str:
        with open("/proc/timer_list", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            return file.read()


_TIMER_LIST = _TimerList()


class Hz(NamedTuple):
    """Ticks per second, and how that was found. ``hz`` None: not found, and ``how`` says what to do."""

    hz: int | None
    how: str


class Jiffies(NamedTuple):
    """The calibrated jiffy clock of this machine, right for any uptime and HZ. ``how``: by which method."""

    hz: int
    tick_ns: int
    offset: int
    how: str = ""

    def at(self, t_ns: int) -> int:
        """Return the jiffy counter at CLOCK_MONOTONIC instant ``t_ns``, in ns."""
        return t_ns // self.tick_ns + self.offset

    def offset_at(self, t_ns: int) -> int:
        """Return the whole number C for which jiffies(t) = floor(t * hz) + C around the instant ``t_ns``.

        Where HZ divides 10^9 it is always the same. At HZ=300 TICK_NSEC is a third of a nanosecond short, so C grows
        by one every 9 hours, and edges computed from it may be up to one jiffy off: take it anew for each run.
        """
        return self.at(t_ns) - t_ns * self.hz // 1_000_000_000


def discover() -> Hz:
    """Return the HZ of the running kernel: from its own clock, else its configuration, else HALFOPEN_HZ."""
    try:
        hz = round(1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE))
    except (OSError, ZeroDivisionError):
        hz = 0
    if hz in _PLAUSIBLE:
        return Hz(hz, "resolution of CLOCK_MONOTONIC_COARSE")
    configured = _configured()
    if configured is not None:
        return configured
    stated = os.environ.get("HALFOPEN_HZ", "")
    if stated.isdigit() and int(stated) in _PLAUSIBLE:
        return Hz(int(stated), "stated in HALFOPEN_HZ")
    return Hz(None, "not found; set HALFOPEN_HZ to the kernel's CONFIG_HZ")


def calibrate(hz: int) -> int | None:
    """Return the whole number C with jiffies(t) = floor(t * hz) + C, t in CLOCK_MONOTONIC seconds, or None.

    Valid around the time of the call (see ``Jiffies.offset_at``). Takes up to 60 ms.
    """
    clock = jiffy_clock(hz)
    return None if clock is None else clock.offset_at(time.monotonic_ns())


def jiffy_clock(hz: int) -> Jiffies | None:
    """Return the calibrated jiffy clock, by whichever method this process may use, or None. Takes up to 60 ms."""
    return from_timer_list(hz) or from_times(hz)


def tick_ns(hz: int) -> int:
    """Return TICK_NSEC, the length of a jiffy in ns, as the kernel rounds it (include/vdso/jiffies.h)."""
    return (1_000_000_000 + hz // 2) // hz


def from_timer_list(hz: int, path: Text = _TIMER_LIST) -> Jiffies | None:
    """Calibrate from /proc/timer_list; None if it may not be read or three readings do not agree."""
    tick = tick_ns(hz)
    offsets: list[int] = []
    for _ in range(_MOST_SAMPLES):
        before = time.monotonic_ns()
        try:
            text = path.read_text()
        except OSError:
            return None
        later = time.monotonic_ns()
        now, counter = re.search(r"^now at (\d+) nsecs", text, re.M), re.search(r"^jiffies: (\d+)", text, re.M)
        if now is None or counter is None or not before <= int(now[1]) <= later:
            # Another format, or this process lives in a time namespace with a clock of its own.
            return None
        # The instant is printed first and the counter after it: only a reading within one jiffy, well after its
        # edge, relates them.
        if before // tick == later // tick and before % tick > tick // 8:
            offsets.append(int(counter[1]) - int(now[1]) // tick)
            if len(offsets) == _AGREEING_STEPS:
                return Jiffies(hz, tick, offsets[0], "/proc/timer_list") if len(set(offsets)) == 1 else None
        else:
            time.sleep((tick // 4 + tick - later % tick) % tick / 1e9)
    return None


def from_times(
    hz: int,
    elapsed: Callable[[], float] = lambda: os.times().elapsed,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> Jiffies | None:
    """Calibrate from times(2), which anybody may call; None if 60 ms bring no agreement.

    One reading says what the offset may be, a few values, because times(2) counts in 10 ms. Readings in the middle of
    successive jiffies narrow that to one, which must then hold over three steps. It sleeps from jiffy to jiffy and
    never spins: in a guest whose clock stands still while it is busy, a spin would not end.
    """
    tick = tick_ns(hz)
    candidates: set[int] = set()
    steps, last = 0, -1
    began = monotonic_ns()
    for _ in range(_MOST_SAMPLES):
        before = monotonic_ns()
        if before - began > _BUDGET_NS:
            return None
        count = round(elapsed() * 100)
        after = monotonic_ns()
        # Within one jiffy, clear of its edge: the tick may come late, never early.
        if before // tick == after // tick and before % tick > tick // 4:
            here = before // tick
            possible = {j - here for j in range(-(-count * _USER_TICK_NS // tick), _last_jiffy(count, tick) + 1)}
            steps += last not in (-1, count)
            last = count
            candidates = candidates & possible if candidates else possible
            if not candidates:
                # A tick was missed by half a jiffy or more: begin anew.
                candidates, steps, last = set(), 0, -1
            elif len(candidates) == 1 and steps >= _AGREEING_STEPS:
                return Jiffies(hz, tick, candidates.pop(), "steps of times(2)")
        sleep((tick - after % tick + tick // 2) / 1e9)
    return None


def _last_jiffy(count: int, tick: int) -> int:
    """Return the last jiffy that times(2) still shows as ``count``."""
    return -(-(count + 1) * _USER_TICK_NS // tick) - 1


def _configured() -> Hz | None:
    release = os.uname().release
    for path in ("/proc/config.gz", f"/boot/config-{release}", f"/lib/modules/{release}/config"):
        try:
            with open(path, "rb") as file:  # noqa: PTH123
                raw = file.read()
            text = _unpacked(raw).decode(errors="replace")
        except OSError:
            continue
        found = re.search(r"^CONFIG_HZ=(\d+)$", text, re.M)
        if found and int(found[1]) in _PLAUSIBLE:
            return Hz(int(found[1]), "kernel configuration")
    return None


def _unpacked(raw: bytes) -> bytes:
    if raw[:2] != b"\x1f\x8b":
        return raw
    import gzip  # seldom needed, and slow to import

    return gzip.decompress(raw)
