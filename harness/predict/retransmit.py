"""Unacknowledged data: the tail loss probe, the retransmissions, and when the kernel gives up.

Facts: net/ipv4/tcp_output.c (tcp_schedule_loss_probe, tcp_send_loss_probe), net/ipv4/tcp_timer.c (tcp_retransmit_timer,
tcp_write_timeout, retransmits_timed_out, tcp_model_timeout, tcp_clamp_rto_to_user_timeout); RFC 6298, RFC 8985 section
7, RFC 5482; measured. The clock that both tcp_retries2 and TCP_USER_TIMEOUT are held against starts at the first
retransmission by timeout, not at the write. Times in ticks unless the name says otherwise.
"""

import functools

from harness.predict.course import FATE_OF, Course, State, follow
from harness.predict.path import Path
from harness.predict.wheel import Moment, Wheel
from harness.spec.settings import Settings

_TOLD = 20
_STEPS = 2000
_RTO_MIN_US = 200_000
_DELAYED_MS = 60  # an acknowledgment is delayed by 40 ms (TCP_ATO_MIN), which a busy peer makes more
_TLP_MARGIN_US = 2_000  # TCP_TIMEOUT_MIN_US


def model_timeout_ms(retries: int, base: int, rto_max: int, hz: int) -> int:
    """How long ``retries`` doublings of ``base`` ticks take, in ms: the limit that a count stands for."""
    doublings = (rto_max // base).bit_length() - 1 if rto_max >= base else 0
    ticks = ((2 << min(retries, doublings)) - 1) * base + max(0, retries - doublings) * rto_max
    return -(-ticks * 1000 // hz)


class Retransmission:
    """The retransmission timer of one socket. A moment's reference is the first retransmission."""

    def __init__(self, wheel: Wheel, settings: Settings, path: Path, rto_s: float, srtt_s: float) -> None:
        self.wheel, self.path = wheel, path
        self.rto_max = max(1, wheel.from_ms(settings.rto_max_ms))
        self.rto = max(1, min(round(rto_s * wheel.hz), self.rto_max))
        self.srtt_us = round(srtt_s * 1_000_000)
        self.user_timeout_ms = settings.user_timeout_ms
        self.limit_ms = settings.user_timeout_ms or model_timeout_ms(
            settings.retries2, wheel.hz // 5, self.rto_max, wheel.hz
        )

    def loss_probe(self, segments: int) -> int:
        """After how many ticks the tail loss probe is sent; never later than the RTO."""
        if not self.srtt_us:
            return min(self.wheel.hz, self.rto)
        margin = _RTO_MIN_US if segments == 1 else _TLP_MARGIN_US
        return min(self.wheel.from_us(2 * self.srtt_us + margin), self.rto)

    def run(self, written: Moment, segments: int, *, stream: bool = False) -> Course:
        """Follow a write at ``written`` whose data is never acknowledged. ``stream``: more writes come after it."""
        probe = self.wheel.arm(written, self.loss_probe(segments), fired=False)
        if stream:
            # Each write sets the probe again, and then the RTO counts from the oldest segment: anything between.
            soonest = self.wheel.arm(written, self.rto, fired=False)
            latest = self.wheel.arm(self.wheel.arm(written, self.loss_probe(1), fired=False), self.rto, fired=True)
            return follow([State((1, self.rto), soonest.joined(latest))], self._fire, _STEPS)
        return follow([State((0, self.rto), probe)], self._fire, _STEPS)

    def _fire(self, state: State, course: Course) -> list[State]:
        number, rto = state.key
        now = state.now
        if number > 1:
            least_ms, most_ms = self.wheel.age_ms(now)
            if most_ms >= self.limit_ms:
                course.end("died", old_enough(self.wheel, now, self.limit_ms))
            if least_ms >= self.limit_ms:
                return []
            course.close |= self.wheel.unseen(now) and self.wheel.age_ms(now.later(1))[0] >= self.limit_ms
            if most_ms >= self.limit_ms:
                now = now.younger(-(-self.limit_ms * self.wheel.hz // 1000) + 1) or now
        now = self.wheel.ran(now)
        if number <= 1:
            now = now.restarted()
        if number <= _TOLD:
            course.note("tail loss probe" if number == 0 else f"retransmission {number}", now)
        following: list[State] = []
        for sent, reply in self.path.parts(now):
            if reply in ("silence", "chance"):
                following.append(self._again(sent, number, rto))
            if reply != "silence":
                course.end(FATE_OF[reply], sent)
            if reply == "ack" and self._may_be_answered_too_late(sent, number):
                course.end("died", self._again(sent, number, rto).now)
        return following

    def _may_be_answered_too_late(self, sent: Moment, number: int) -> bool:
        """Whether the user timeout may end before the acknowledgment, which the peer may delay, is there."""
        end = self.wheel.from_ms(self.user_timeout_ms)
        return end > 0 and number > 0 and end - sent.since_hi <= self.wheel.from_ms(_DELAYED_MS)

    def _again(self, sent: Moment, number: int, rto: int) -> State:
        if number == 0:
            return State((1, rto), self.wheel.arm(sent, rto, fired=True))
        rto = min(2 * rto, self.rto_max)
        if not self.user_timeout_ms:
            return State((number + 1, rto), self.wheel.arm(sent, rto, fired=True))
        following = arm_clamped(self.wheel, sent, rto, self.user_timeout_ms)
        if number < _TOLD or rto < self.rto_max:
            return State((number + 1, rto), following)
        # Many more go by, all alike, before the user timeout or the end of the outage comes into sight.
        period = self.wheel.period(rto)
        room = self.wheel.from_ms(self.user_timeout_ms) - following.since_hi - rto
        if self.path.heal is not None:
            room = min(room, self.path.heal - following.hi)
        skipped = max(0, (room - 1) // period)
        return State((number + 1 + skipped, rto), following.later(skipped * period))


def old_enough(wheel: Wheel, now: Moment, limit_ms: int, since_s: float | None = None) -> Moment:
    """The part of ``now`` that may be ``limit_ms`` after its reference."""
    if wheel.age_ms(now, since_s)[0] >= limit_ms:
        return now
    return now.aged(limit_ms * wheel.hz // 1000) or now


def arm_clamped(wheel: Wheel, sent: Moment, rto: int, user_timeout_ms: int, since_s: float | None = None) -> Moment:
    """Arm the RTO, but no later than the user timeout ends (tcp_clamp_rto_to_user_timeout)."""
    least_ms, most_ms = wheel.age_ms(sent, since_s)
    if least_ms == most_ms:
        left = max(1, wheel.from_ms(max(0, user_timeout_ms - least_ms)))
        return wheel.arm(sent, min(rto, left), fired=True)
    # The age is not known, but the age at which the user timeout ends is: apart from a tick where HZ does not divide
    # 1000 and TCP's clock of milliseconds rounds, or where the reference lies within a tick.
    end, rounds = wheel.from_ms(user_timeout_ms), 1 if 1000 % wheel.hz else 0
    blur = 1 if since_s is not None else rounds
    parts: list[Moment] = []
    if (free := sent.younger(end - rto + 1 + blur)) is not None:
        parts.append(wheel.arm(free, rto, fired=True))
    if (bound := sent.aged(end - rto - blur)) is not None:
        parts += [wheel.arm_for(bound, end - rounds), wheel.arm_for(bound, end + blur)]
    return functools.reduce(Moment.joined, parts)
