"""connect(): the SYN timer.

Facts: net/ipv4/tcp_timer.c (tcp_write_timeout, tcp_retransmit_timer), tcp(7) TCP_SYNCNT, sysctl tcp_syn_linear_timeouts
(Linux 6.5); RFC 6298; measured. The first RTO is 1 s; it stays so for the first ``syn_linear`` timeouts, then doubles.
Unlike for data, the clock starts when connect() sends the first SYN. Times in ticks.
"""

from harness.predict.course import FATE_OF, Course, State, follow
from harness.predict.path import Path
from harness.predict.retransmit import arm_clamped, model_timeout_ms, old_enough
from harness.predict.wheel import Moment, Wheel
from harness.spec.settings import Settings

_STEPS = 2000
_TOLD = 20


class Syn:
    """The SYN timer of one socket. A moment's reference is connect(), at ``called_s`` in seconds."""

    def __init__(self, wheel: Wheel, settings: Settings, path: Path, called_s: float) -> None:
        self.wheel, self.path, self.called_s = wheel, path, called_s
        self.rto_max = max(1, wheel.from_ms(settings.rto_max_ms))
        self.most, self.linear = settings.syn_count + settings.syn_linear, settings.syn_linear
        self.user_timeout_ms = settings.user_timeout_ms
        self.limit_ms = settings.user_timeout_ms or model_timeout_ms(
            settings.syn_count, wheel.hz, self.rto_max, wheel.hz
        )

    def run(self) -> Course:
        """Follow a connect() whose first SYN gets no answer."""
        rto = min(self.wheel.hz, self.rto_max)
        called = self.wheel.at(self.called_s)
        return follow([State((1, rto), self.wheel.arm(called, rto, fired=False))], self._fire, _STEPS)

    def _fire(self, state: State, course: Course) -> list[State]:
        number, rto = state.key
        now = state.now
        if number > self.most:
            course.end("died", now)
            return []
        if number > 1:
            least_ms, most_ms = self.wheel.age_ms(now, self.called_s)
            if most_ms >= self.limit_ms:
                course.end("died", old_enough(self.wheel, now, self.limit_ms, self.called_s))
            if least_ms >= self.limit_ms:
                return []
            late_ms = self.wheel.age_ms(now.later(1), self.called_s)[0]
            course.close |= self.wheel.unseen(now) and late_ms >= self.limit_ms
        now = self.wheel.ran(now)
        if number <= _TOLD:
            course.note(f"SYN retransmission {number}", now)
        following: list[State] = []
        for sent, reply in self.path.parts(now):
            if reply in ("silence", "chance"):
                following.append(self._again(sent, number, rto))
            if reply != "silence":
                course.end(FATE_OF[reply], sent)
        return following

    def _again(self, sent: Moment, number: int, rto: int) -> State:
        if number > self.linear:
            rto = min(2 * rto, self.rto_max)
        if not self.user_timeout_ms:
            return State((number + 1, rto), self.wheel.arm(sent, rto, fired=True))
        return State((number + 1, rto), arm_clamped(self.wheel, sent, rto, self.user_timeout_ms, self.called_s))
