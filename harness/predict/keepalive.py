"""Keepalive: the probes of a connection on which nothing is unacknowledged.

Facts: net/ipv4/tcp_timer.c (tcp_keepalive_timer), include/net/tcp.h (keepalive_time_elapsed); RFC 9293 3.8.4; measured.
The first timer is a full idle from SO_KEEPALIVE, not from the last segment; when it runs too early it is set again for
the rest. With TCP_USER_TIMEOUT the count is ignored. The timer does nothing while data is unacknowledged.
"""

from harness.predict.course import Course, State, follow
from harness.predict.path import Path
from harness.predict.wheel import Moment, Wheel
from harness.spec.settings import Settings

_TOLD_PROBES = 20  # probes that are listed one by one; more are reckoned in one go
_STEPS = 400
_HISTORY = 10_000


class Keepalive:
    """The timer of one socket. Times in ticks; a moment's reference is the last segment from the peer."""

    def __init__(self, wheel: Wheel, settings: Settings, path: Path, written: int | None) -> None:
        """``written``: the tick at which data is written that will stay unacknowledged."""
        self.wheel, self.path, self.written = wheel, path, written
        self.idle = settings.idle_s * wheel.hz
        self.interval = settings.interval_s * wheel.hz
        self.count = settings.count
        self.user_timeout = wheel.from_ms(settings.user_timeout_ms)

    def run(self, first: Moment) -> Course:
        """Follow the timer that is pending at the fault and runs at ``first``."""
        return follow([State((0,), first)], self._fire, _STEPS)

    def pending(self, armed: Moment, heard_s: float, trip: int = 0) -> Moment | None:
        """When the timer that is pending at the last segment heard runs; None where that cannot be told.

        The reference of the result is that segment. ``trip``: the round trip in whole ticks.
        """
        heard = self.wheel.tick(heard_s)
        first = self.wheel.arm(armed, self.idle, fired=False)
        if first.lo > heard:
            return _since(first, heard)
        if first.lo != first.hi:
            return None
        # Probes were answered before the fault: follow them from SO_KEEPALIVE, as if nothing else had been said.
        for _ in range(_HISTORY):
            following = self.wheel.arm(first, self.interval, fired=True)
            if abs(first.lo + trip - heard) <= 1:
                return _since(following, heard)
            if following.since_lo - first.since_lo < self.idle:
                following = self.wheel.arm_for(_since(following, first.lo), self.idle)
            first = following
            if first.lo > heard:
                return None
        return None

    def sometime(self, heard_s: float) -> Moment:
        """When the timer that is pending at the last segment runs next at an age of idle or more: bounds only."""
        heard = self.wheel.tick(heard_s)
        longest = self.idle + self.wheel.granule(self.idle)
        if self.interval > self.idle:
            longest = self.interval + self.wheel.granule(self.interval)
        return Moment(heard + self.idle, heard + longest, 1, heard, heard, self.idle, longest)

    def _fire(self, state: State, course: Course) -> list[State]:
        now: Moment | None = state.now
        (probes,) = state.key
        following: list[State] = []
        if self.written is not None and (unacked := state.now.from_(self.written)) is not None:
            course.end("silenced", unacked)
            now = state.now.before(self.written)
        if now is not None and (early := now.younger(self.idle)) is not None:
            course.note("keepalive timer: too early, set again for the rest", early)
            following.append(State((probes,), self.wheel.arm_for(early, self.idle)))
        due = None if now is None else now.aged(self.idle)
        if due is not None and self._gives_up(probes):
            dying = due.aged(self.user_timeout) if self.user_timeout else due
            if dying is not None:
                course.end("died", dying)
            due = due.younger(self.user_timeout) if self.user_timeout else None
        if due is not None:
            following += self._probe(due, probes + 1, course)
        return following

    def _gives_up(self, probes: int) -> bool:
        return probes > 0 if self.user_timeout else probes >= self.count

    def _probe(self, due: Moment, number: int, course: Course) -> list[State]:
        following: list[State] = []
        for sent, reply in self.path.parts(due):
            if number <= _TOLD_PROBES:
                course.note(f"keepalive probe {number}", sent)
            if reply in ("silence", "icmp"):
                # ICMP errors for a probe are ignored: its sequence number is outside the window (tcp_v4_err).
                following.append(self._next(sent, number))
            elif reply == "ack":
                course.end("kept" if sent.hi < self.path.fault else "recovered", sent)
            else:
                course.end("reset" if reply == "rst" else "chance", sent)
        return following

    def _next(self, sent: Moment, number: int) -> State:
        following = self.wheel.arm(sent, self.interval, fired=True)
        skipped = 0
        if self.user_timeout and number >= _TOLD_PROBES:
            skipped = self._skippable(following)
            following = following.later(skipped * self.wheel.period(self.interval))
        return State((number + skipped,), following)

    def _skippable(self, moment: Moment) -> int:
        """How many more probes go by, all alike, before anything can be decided."""
        room = [self.user_timeout - moment.since_hi]
        room += [tick - moment.hi for tick in (self.path.heal, self.written) if tick is not None]
        return max(0, (min(room) - 1) // self.wheel.period(self.interval))


def _since(moment: Moment, ref: int) -> Moment:
    return Moment(moment.lo, moment.hi, moment.grain, ref, ref, moment.lo - ref, moment.hi - ref)
