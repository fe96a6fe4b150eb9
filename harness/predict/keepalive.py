"""Keepalive: the probes of a connection on which nothing is unacknowledged.

Facts: net/ipv4/tcp_timer.c (tcp_keepalive_timer), include/net/tcp.h (keepalive_time_elapsed); RFC 9293 3.8.4; measured.
The first timer is a full idle from SO_KEEPALIVE, not from the last segment; when it runs too early it is set again for
the rest. With TCP_USER_TIMEOUT the count is ignored. The timer does nothing while data is unacknowledged.
"""

import msgspec

from harness.predict.course import Course, State, follow
from harness.predict.path import Path
from harness.predict.wheel import Moment, Wheel
from harness.spec.settings import Settings

_TOLD_PROBES = 20  # probes that are listed one by one; more are reckoned in one go
_STEPS = 400


class Keepalive:
    """The timer of one socket. Times in ticks; a moment's reference is the last segment from the peer."""

    def __init__(self, wheel: Wheel, settings: Settings, path: Path, written: int | None) -> None:
        """``written``: the tick at which data is written that will stay unacknowledged."""
        self.wheel, self.settings, self.path, self.written = wheel, settings, path, written
        self.idle = settings.idle_s * wheel.hz
        self.interval = settings.interval_s * wheel.hz
        self.count = settings.count
        self.user_timeout = wheel.from_ms(settings.user_timeout_ms)

    def expired_at(self, tick: int) -> "Keepalive":
        """The same timer where nothing is answered from ``tick`` on."""
        path = msgspec.structs.replace(self.path, fault=tick)
        return Keepalive(self.wheel, self.settings, path, self.written)

    def run(self, first: Moment) -> Course:
        """Follow the timer that is pending at the fault and runs at ``first``."""
        return follow([State((0,), first)], self._fire, _STEPS)

    def pending(self, armed: Moment) -> Moment | None:
        """When the timer that was armed at ``armed`` runs; None if it did before the last segment was heard.

        The reference of both moments is that segment.
        """
        first = self.wheel.arm(armed, self.idle, fired=False)
        return first if first.lo > armed.ref_hi else None

    def after_answer(self, heard: Moment, trip_s: float) -> Moment | None:
        """When the timer runs next if what was heard at ``heard`` was the answer to a probe, ``trip_s`` before or less.

        None if no probe can have left then.
        """
        trip = int(trip_s * self.wheel.hz) + 1
        if self.wheel.offset is None:
            sent = Moment(heard.lo - trip, heard.hi, 1, heard.lo, heard.hi, -trip - heard.hi + heard.lo, 0)
            return self.wheel.arm(sent, self.interval, fired=True)
        # The probe left on an edge of the buckets of whichever timer sent it.
        lengths = [self.idle, self.interval, self.idle - self.wheel.period(self.interval)]
        width = min(self.wheel.granule(ticks - 1) for ticks in lengths if ticks > 0)
        late = (heard.lo + self.wheel.offset) % width
        if late > trip:
            return None
        sent = Moment(heard.lo - late, heard.lo - late, width, heard.lo, heard.lo, -late, -late)
        return self.wheel.arm(sent, self.interval, fired=True)

    def sometime(self, heard: Moment) -> Moment:
        """When the timer runs next at an age of idle or more, whatever was said before: bounds only."""
        longest = self.idle + self.wheel.granule(self.idle)
        if self.interval > self.idle:
            longest = self.interval + self.wheel.granule(self.interval)
        return Moment(heard.lo + self.idle, heard.hi + longest, 1, heard.lo, heard.hi, self.idle, longest)

    def _fire(self, state: State, course: Course) -> list[State]:
        ran = self.wheel.ran(state.now)
        now: Moment | None = ran
        (probes,) = state.key
        following: list[State] = []
        if self.written is not None and (unacked := ran.from_(self.written)) is not None:
            course.end("silenced", unacked)
            now = ran.before(self.written)
        if now is not None and (early := now.younger(self.idle)) is not None:
            course.note("keepalive timer: too early, set again for the rest", early)
            following.append(State((probes,), self.wheel.arm_for(early, self.idle)))
        due = None if now is None else now.aged(self.idle)
        if due is not None and self._gives_up(probes):
            dying = due.aged(self.user_timeout) if self.user_timeout else due
            if dying is not None:
                course.end("died", dying)
            elif self.wheel.unseen(due) and due.since_hi + 1 >= self.user_timeout:
                course.close = True
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
            if reply in ("silence", "icmp", "chance"):
                # ICMP errors for a probe are ignored: its sequence number is outside the window (tcp_v4_err).
                following.append(self._next(sent, number))
                if reply == "chance":
                    course.end("chance", sent)
            elif reply == "ack" and sent.hi < self.path.fault and not self.path.mapped:
                following.append(State((0,), self.wheel.arm(sent.restarted(), self.interval, fired=True)))
            elif reply == "ack":
                course.end("kept" if sent.hi < self.path.fault else "recovered", sent)
            else:
                course.end("reset", sent)
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
