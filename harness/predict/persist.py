"""The zero-window timer: a closed window's probes, and data that the survivor's own host does not let out.

Facts: net/ipv4/tcp_timer.c (tcp_probe_timer, tcp_clamp_probe0_to_user_timeout), net/ipv4/tcp_output.c
(tcp_send_probe0), net/ipv4/tcp_input.c (tcp_ack_probe, tcp_oow_rate_limited), include/net/tcp.h (tcp_probe0_when);
RFC 9293 3.8.6.1; measured. An answer forgives the unanswered probes but not the user timeout, which runs from the first
probe on whether or not the peer lives. A peer answers at most one probe in 500 ms, so the second is never answered.
A segment that cannot leave its host (its filter or its routes refuse it) stays unsent, and the same timer tries it
again (tcp_write_xmit, tcp_check_probe_timer): what counts then are attempts. Refused by the host's own queue an attempt
is repeated after half a second, without backoff (TCP_RESOURCE_PROBE_INTERVAL). Times in ticks.
"""

from harness.predict.course import Course, State, follow
from harness.predict.path import Path
from harness.predict.wheel import Moment, Wheel
from harness.spec.settings import Settings

_TOLD = 20
_STEPS = 600
_PROBE_BACKOFF_MAX = 10  # ilog2(TCP_RTO_MAX / TCP_RTO_MIN) + 1
_STEADY = 40  # a live peer that has answered for so many probes answers for ever


class Persist:
    """The zero-window timer of one socket. A moment's reference is the first probe.

    ``place``: where packets vanish (``Effect.place``). ``what``: what the timer sends, for the timeline.
    """

    def __init__(
        self,
        wheel: Wheel,
        settings: Settings,
        path: Path,
        rto_s: float,
        trip_s: float = 0.0,
        place: str = "path",
        what: str = "window probe",
    ) -> None:
        self.refused, self.what = place == "own-queue", what
        self.wheel, self.path = wheel, path
        self.trip = int(trip_s * wheel.hz)
        self.rto_max = max(1, wheel.from_ms(settings.rto_max_ms))
        self.base = max(round(rto_s * wheel.hz), wheel.hz // 5)
        self.retries = settings.retries2
        self.user_timeout = wheel.from_ms(settings.user_timeout_ms)
        self.answer_gap = wheel.from_ms(500)  # and TCP_RESOURCE_PROBE_INTERVAL

    def run(self, closed: Moment) -> Course:
        """Follow the window that closed at ``closed``."""
        first = self.wheel.arm(closed, min(self.base, self.rto_max), fired=False)
        # number of the probe, unanswered so far, backoff, ticks since the last answer (-1: never answered)
        return follow([State((1, 0, 0, -1), first)], self._fire, _STEPS)

    def _fire(self, state: State, course: Course) -> list[State]:
        number, unanswered, backoff, quiet = state.key
        now: Moment | None = state.now
        if number > 1 and self.user_timeout and now is not None:
            if (dying := now.aged(self.user_timeout)) is not None:
                course.end("died", dying)
            now = now.younger(self.user_timeout)
        if now is None:
            return []
        if unanswered >= self.retries:
            course.end("died", now)
            return []
        following: list[State] = []
        now = self.wheel.ran(now)
        if number == 1:
            now = now.restarted()
        if number <= _TOLD:
            course.note(f"{self.what} {number}", now)
        for sent, reply in self.path.parts(now):
            refused = self.refused and reply == "silence"
            if reply == "ack" and quiet >= 0 and quiet < self.answer_gap:
                reply = "silence"
            if reply == "chance":
                course.end("chance", sent)
            if reply == "rst":
                course.end("reset", sent)
            elif reply == "ack" and self._settled(sent, number):
                course.end("kept" if self.path.heal is None else "recovered", sent)
            else:
                key = (number, unanswered, backoff, quiet)
                following.append(self._next(sent, key, answered=reply == "ack", refused=refused))
        return following

    def _settled(self, sent: Moment, number: int) -> bool:
        """Nothing more can happen: the peer answers, and no user timeout runs."""
        if self.user_timeout or (self.retries < 2 and number < _STEADY):
            return False
        return self.path.during == "ack" or (self.path.heal is not None and sent.lo >= self.path.heal)

    def _next(self, sent: Moment, key: tuple[int, ...], *, answered: bool, refused: bool) -> State:
        number, unanswered, backoff, quiet = key
        if refused:
            wait = self.answer_gap
        else:
            backoff = min(backoff + 1, self.retries)
            wait = min(self.base << min(backoff, _PROBE_BACKOFF_MAX), self.rto_max)
        # An answer sets the timer again, for the same time.
        following = self._arm(sent.later(self.trip) if answered else sent, wait)
        waited = following.lo - sent.lo
        quiet = waited if answered else -1 if quiet < 0 else min(quiet + waited, self.answer_gap)
        unanswered = 0 if answered else unanswered + 1
        if number >= _TOLD and answered and waited >= self.answer_gap and not self.trip:
            # Many more are answered, all alike, before anything can be decided.
            period = self.wheel.period(wait)
            room = self.user_timeout - following.since_hi - wait
            room = min([room, *(tick - following.hi for tick in self._turns() if tick > sent.lo)])
            skipped = max(0, (room - 1) // period)
            number, following = number + skipped, following.later(skipped * period)
        return State((number + 1, unanswered, backoff, quiet), following)

    def _turns(self) -> list[int]:
        return [self.path.fault] + ([] if self.path.heal is None else [self.path.heal])

    def _arm(self, sent: Moment, wait: int) -> Moment:
        if not self.user_timeout or sent.since_hi + wait <= self.user_timeout:
            return self.wheel.arm(sent, wait, fired=True)
        # The kernel never waits less than 2 ticks (TCP_TIMEOUT_MIN).
        soonest, latest = (max(self.user_timeout, since + 2) for since in (sent.since_lo, sent.since_hi))
        clamped = self.wheel.arm_for(sent, latest)
        if soonest < latest:
            clamped = clamped.joined(self.wheel.arm_for(sent, soonest))
        if sent.since_lo + wait >= self.user_timeout:
            return clamped
        return clamped.joined(self.wheel.arm(sent, wait, fired=True))
