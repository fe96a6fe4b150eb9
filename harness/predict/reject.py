"""Unacknowledged data answered with ICMP unreachable.

Facts: net/ipv4/tcp_ipv4.c (tcp_v4_err, tcp_ld_RTO_revert; RFC 6069), net/ipv4/icmp.c (icmp_err_convert),
net/ipv6/icmp.c (icmpv6_err_convert); RFC 1122 4.2.3.9; measured. An unreachable does not end an established connection:
it is remembered and becomes the error when the retransmissions time out. For "host" and "net", unlike "admin", it also
takes one backoff back, without regard for the user timeout; routers limit their rate. So the instant is not determined:
bounds only.
"""

from harness.predict.course import Course
from harness.predict.retransmit import Retransmission
from harness.predict.situation import Effect
from harness.predict.wheel import Moment


def icmp_error(effect: Effect, ipv: int) -> str:
    """Return the error that the router's answer becomes."""
    if effect.icmp == "admin":
        return "EHOSTUNREACH" if ipv == 4 else "EACCES"
    return "EHOSTUNREACH" if effect.icmp == "host" else "ENETUNREACH"


def rejected(timer: Retransmission, written: Moment) -> Course:
    """Return the bounds for data written at ``written`` whose every transmission is answered with ICMP."""
    wheel = timer.wheel
    course = Course([], {})
    limit = wheel.from_ms(timer.limit_ms)
    first = wheel.arm(written, timer.rto, fired=False)
    # Never later than with the backoff intact: the last step is at most as long as all before it.
    step = min(limit + 2 * timer.rto, timer.rto_max)
    late = 2 * timer.rto + limit + step
    last = late + 4 * wheel.granule(step)
    heal = timer.path.heal
    when = Moment(first.lo + limit, written.hi + last, 1, written.lo, written.hi, 0, last)
    if heal is not None and heal <= when.hi:
        gap = min(heal - written.lo, timer.rto_max) + timer.rto
        course.end("recovered", Moment(heal, heal + gap + wheel.granule(gap), 1, heal, heal, 0, gap))
    if (dying := when if heal is None else when.before(heal + timer.rto_max)) is not None:
        course.end("died", dying)
    return course
