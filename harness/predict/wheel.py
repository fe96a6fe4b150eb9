"""Linux's timer wheel: when a timer of so many jiffies really runs.

Facts: kernel/time/timer.c (calc_wheel_index, calc_index, __run_timers; since 4.8), and measurement. A timer is put into
a bucket of g = 8^level jiffies and runs when the next bucket after its own begins: never early, up to g late.
Lengths in jiffies: include/linux/jiffies.h (msecs_to_jiffies and usecs_to_jiffies round up).
A tick late: one CPU counts the jiffies for all (kernel/time/tick-sched.c, tick_sched_do_timer). One whose own tick
comes a few microseconds before looks at the old count, finds no timer due, and runs it at its next tick (measured with
the tracepoints timer_start and timer_expire_entry: one in five where hundreds of connections died on two CPUs).

Units: a tick number counts whole ticks of CLOCK_MONOTONIC (instant x HZ, rounded down). The kernel's jiffy counter is
that number plus a constant C, which only calibration can tell. Without C every result is an interval over all C.
"""

import msgspec

_NS = 1_000_000_000
SURENESS_S = 0.0005  # an instant is measured to some tenths of a millisecond
_FIRST_LEVEL = 63  # LVL_START(1): a wheel has 64 buckets a level, and the last is never used for the next level
_SHIFT = 3  # LVL_CLK_SHIFT: each level's buckets are eight times as wide


class Moment(msgspec.Struct, frozen=True):
    """A tick known to lie in [lo, hi], and how many ticks have passed since a reference tick in [ref_lo, ref_hi].

    ``grain``: the jiffy counter is a multiple of it then, because a timer of that bucket width fired. The time since
    the reference is kept apart from the instant, because their uncertainties cancel: two timers on one grid are a
    fixed time apart although neither instant is known.
    """

    lo: int
    hi: int
    grain: int
    ref_lo: int
    ref_hi: int
    since_lo: int
    since_hi: int

    def before(self, tick: int) -> "Moment | None":
        """The part of this moment that lies before ``tick``."""
        if self.lo >= tick:
            return None
        if self.hi < tick:
            return self
        return self._with(hi=tick - 1, since_hi=max(self.since_lo, min(self.since_hi, tick - 1 - self.ref_lo)))

    def from_(self, tick: int) -> "Moment | None":
        """The part of this moment at or after ``tick``."""
        if self.hi < tick:
            return None
        if self.lo >= tick:
            return self
        return self._with(lo=tick, since_lo=min(self.since_hi, max(self.since_lo, tick - self.ref_hi)))

    def younger(self, ticks: int) -> "Moment | None":
        """The part where fewer than ``ticks`` have passed since the reference."""
        if self.since_lo >= ticks:
            return None
        if self.since_hi < ticks:
            return self
        return self._with(since_hi=ticks - 1, hi=max(self.lo, min(self.hi, self.ref_hi + ticks - 1)))

    def aged(self, ticks: int) -> "Moment | None":
        """The part where at least ``ticks`` have passed since the reference."""
        if self.since_hi < ticks:
            return None
        if self.since_lo >= ticks:
            return self
        return self._with(since_lo=ticks, lo=min(self.hi, max(self.lo, self.ref_lo + ticks)))

    def restarted(self) -> "Moment":
        """This moment as its own reference."""
        return Moment(self.lo, self.hi, self.grain, self.lo, self.hi, 0, 0)

    def later(self, ticks: int) -> "Moment":
        """This moment ``ticks`` later."""
        return Moment(
            self.lo + ticks,
            self.hi + ticks,
            self.grain if ticks % self.grain == 0 else 1,
            self.ref_lo,
            self.ref_hi,
            self.since_lo + ticks,
            self.since_hi + ticks,
        )

    def joined(self, other: "Moment") -> "Moment":
        """The smallest moment that covers both."""
        return Moment(
            min(self.lo, other.lo),
            max(self.hi, other.hi),
            min(self.grain, other.grain),
            min(self.ref_lo, other.ref_lo),
            max(self.ref_hi, other.ref_hi),
            min(self.since_lo, other.since_lo),
            max(self.since_hi, other.since_hi),
        )

    def _with(
        self, lo: int | None = None, hi: int | None = None, since_lo: int | None = None, since_hi: int | None = None
    ) -> "Moment":
        return Moment(
            self.lo if lo is None else lo,
            self.hi if hi is None else hi,
            self.grain,
            self.ref_lo,
            self.ref_hi,
            self.since_lo if since_lo is None else since_lo,
            self.since_hi if since_hi is None else since_hi,
        )


class Wheel:
    """The wheel of a kernel that ticks ``hz`` times a second; ``offset`` is C, or None where it is not known.

    ``sent``: the ticks in which the survivor was seen to send.
    """

    def __init__(self, hz: int, offset: int | None = None, sent: frozenset[int] = frozenset()) -> None:
        self.hz = hz
        self.offset = offset
        self.sent = sent
        # LVL_DEPTH is 9 levels, 8 where HZ <= 100.
        self._widest = 8**8 if hz > 100 else 8**7

    def tick(self, at_s: float) -> int:
        """The tick that instant ``at_s`` (CLOCK_MONOTONIC seconds) falls into."""
        # In whole nanoseconds, because 0.3 * 250 need not be 75.
        return round(at_s * _NS) * self.hz // _NS

    def tick_from(self, at_s: float) -> int:
        """The first tick that begins at or after ``at_s``."""
        return -(-round(at_s * _NS) * self.hz // _NS)

    def seconds(self, ticks: int) -> float:
        """The instant at which a tick begins, or the length of so many ticks."""
        return ticks / self.hz

    def from_ms(self, ms: float) -> int:
        """Whole ticks that cover ``ms`` milliseconds (msecs_to_jiffies)."""
        return -(-round(ms * 1000) * self.hz // 1_000_000)

    def from_us(self, us: int) -> int:
        """Whole ticks that cover ``us`` microseconds (usecs_to_jiffies)."""
        return -(-us * self.hz // 1_000_000)

    def granule(self, ticks: int) -> int:
        """The bucket width of a timer that lies ``ticks`` ahead of the wheel's clock."""
        width = 1
        while ticks >= _FIRST_LEVEL * width and width < self._widest:
            width <<= _SHIFT
        return width

    def at(self, at_s: float, since_s: float | None = None) -> Moment:
        """The moment ``at_s``, reckoned from ``since_s``; without calibration, as sure as it was measured."""
        lo, hi = self._ticks(at_s)
        ref_lo, ref_hi = (lo, hi) if since_s is None else self._ticks(since_s)
        if since_s is None:
            return Moment(lo, hi, 1, lo, hi, 0, 0)
        return Moment(lo, hi, 1, ref_lo, ref_hi, lo - ref_hi, hi - ref_lo)

    def _ticks(self, at_s: float) -> tuple[int, int]:
        if self.offset is not None:
            return self.tick(at_s), self.tick(at_s)
        return self.tick(at_s - SURENESS_S), self.tick(at_s + SURENESS_S)

    def arm(self, now: Moment, ticks: int, *, fired: bool) -> Moment:
        """When a timer of ``ticks`` armed at ``now`` runs.

        ``fired``: armed by a timer that has just run. The wheel's clock then stands one tick ahead of the jiffy
        counter (base->clk++ comes before the callbacks), which matters where ``ticks`` is on a level's border.
        """
        ticks = max(ticks, 1)
        width = self.granule(ticks - 1 if fired else ticks)
        if self.offset is not None and now.lo == now.hi:
            due = now.lo + self.offset + ticks
            least = most = (due // width + 1) * width - self.offset - now.lo
        else:
            # The timer that arms this one may itself have run a tick after its bucket's edge.
            late = ticks + 1 if fired and now.grain > 1 else ticks
            least, most = ticks + now.grain - ticks % now.grain, late + width - late % now.grain
            if width <= now.grain:  # the phase within the bucket is known, so the lateness is
                least, most = (ticks // width + 1) * width, (late // width + 1) * width
            if width == 1:
                most += 1  # wider buckets swallow the tick by which a CPU may be late
        return Moment(
            now.lo + least,
            now.hi + most,
            width,
            now.ref_lo,
            now.ref_hi,
            now.since_lo + least,
            now.since_hi + most,
        )

    def ran(self, due: Moment) -> Moment:
        """When a timer that sends and was due at ``due`` really ran: a tick later if only then a packet was seen."""
        if self.offset is None or due.lo != due.hi or due.lo in self.sent or due.lo + 1 not in self.sent:
            return due
        return due.later(1)

    def unseen(self, due: Moment) -> bool:
        """Whether no packet says when the timer that was due at ``due`` ran."""
        return self.offset is not None and due.lo not in self.sent and due.lo + 1 not in self.sent

    def period(self, ticks: int) -> int:
        """How long a timer of ``ticks`` takes that is armed again whenever it has run."""
        width = self.granule(ticks - 1)
        return (ticks // width + 1) * width

    def arm_for(self, now: Moment, age: int) -> Moment:
        """When a timer armed at ``now``, from a timer, runs that is to expire ``age`` ticks after now's reference."""
        if now.since_lo == now.since_hi:
            return self.arm(now, age - now.since_lo, fired=True)
        narrow, wide = self.granule(age - now.since_hi - 1), self.granule(age - now.since_lo - 1)
        return Moment(
            max(now.lo + 2, now.ref_lo + age + 1),
            max(now.hi + 2, min(now.ref_hi + age, now.hi + age - now.since_lo) + wide),
            narrow,
            now.ref_lo,
            now.ref_hi,
            age + 1,
            age + wide,
        )

    def age_ms(self, moment: Moment, since_s: float | None = None) -> tuple[int, int]:
        """The age of ``moment`` as TCP's millisecond clock shows it (tcp_time_stamp_ts): [least, most].

        ``since_s``: the reference, where it is not the tick at which a timer ran but an instant within one.
        """
        if self.offset is not None and moment.lo == moment.hi and moment.ref_lo == moment.ref_hi:
            since = moment.ref_lo * 1000 // self.hz if since_s is None else round(since_s * _NS) // 1_000_000
            age = moment.lo * 1000 // self.hz - since
            return age, age
        within = 0 if since_s is None else 1
        return (moment.since_lo - within) * 1000 // self.hz, -(-moment.since_hi * 1000 // self.hz)
