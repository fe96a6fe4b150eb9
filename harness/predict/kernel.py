"""What the survivor's kernel does by itself: which of its timers runs, and how that ends.

Facts: net/ipv4/tcp_timer.c: data that is unacknowledged or unsent silences keepalive (tcp_keepalive_timer), so of the
three timers exactly one decides at any time; measured. Times in ticks.
"""

import msgspec

from harness.predict.connect import Syn
from harness.predict.course import FATE_OF, Course, Fate, Trace
from harness.predict.keepalive import Keepalive
from harness.predict.mapping import after_renewal, comes_too_late, lasts_ticks
from harness.predict.path import NEVER_OUT, path_of
from harness.predict.persist import Persist
from harness.predict.reject import rejected
from harness.predict.retransmit import Retransmission
from harness.predict.situation import Situation
from harness.predict.wheel import Moment, Wheel

_LET_GO_S = 0.004
_NEXT_WRITE_S = 0.2  # a stream writes at least so often
_WRITES_S = 0.02  # and does so if nothing hinders it
# A neighbour is believed for 15 s or more, then for 5 s more, then asked three times (arp(7)).
_BELIEVED_S = 23.0


class Event(msgspec.Struct, frozen=True):
    """One way in which the kernel's part may end. ``timer``: the one that decides it.

    ``at_s``: the instant, where it is not a timer's.
    """

    fate: Fate
    timer: str
    when: Moment
    at_s: float | None = None


class Story(msgspec.Struct):
    """``events`` is empty if no timer will ever decide anything. ``determined``: Linux leaves nothing to chance.

    ``close``: a timer that runs a tick late may end it sooner by a whole step.
    ``data_at``: from then on data is unacknowledged, so that keepalive is silent.
    """

    events: list[Event]
    trace: Trace
    determined: bool = True
    close: bool = False
    data_at: int | None = None

    def take(self, course: Course, timer: str) -> None:
        self.events += [Event(end.fate, timer, end.when) for end in course.endings if end.fate != "silenced"]
        self.close |= course.close
        for what, (lo, hi) in course.trace.items():
            first, last = self.trace.get(what, (lo, hi))
            self.trace[what] = (min(first, lo), max(last, hi))


def story(s: Situation, wheel: Wheel) -> Story:
    """Tell what the kernel does in the filled-in situation ``s``."""
    if s.traffic == "connect":
        return _connect(s, wheel)
    told = Story([], {})
    if s.traffic == "blocked" or (s.window_closed_at is not None and s.effect.peer in ("full", "hung")):
        closed = wheel.at(s.window_closed_at if s.window_closed_at is not None else s.fault_at)
        persist = Persist(wheel, s.settings, path_of(s, wheel), s.rto_s, s.trip_s or 0.0, s.effect.place)
        if wheel.offset is None:
            # The kernel deals with the closed window once the writing program lets go of the socket.
            closed = closed.joined(closed.later(wheel.tick_from(_LET_GO_S))).restarted()
        course = persist.run(closed)
        told.determined = "chance" not in course.fates
        if s.traffic == "stream":
            # The window may close on an empty queue: then the next write starts the timer.
            told.determined = False
            course = _delayed(course, wheel.tick_from(_NEXT_WRITE_S) + wheel.granule(persist.base))
        told.take(course, "zero-window")
        return told
    written = _data_at(s)
    full = s.traffic in ("write", "stream") and s.unacked_at is not None and written == s.unacked_at
    data = _Data(s, wheel, written, full)
    told.data_at = data.tick
    silenced = data.tick is not None
    if s.settings.keepalive:
        silenced = _keepalive(s, wheel, told, data.tick)
    if data.tick is not None and silenced:
        data.follow(told)
    return told


def unreachable_next_hop(s: Situation, until: float) -> bool:
    """Whether the survivor's host may find out by itself that its next hop has gone, before the instant ``until``."""
    return s.effect.place == "next-hop" and until > s.fault_at + _BELIEVED_S


def _data_at(s: Situation) -> float | None:
    """When data is first sent that may go unacknowledged: a write, or a heartbeat."""
    instants = [at for at in (s.unacked_at, s.ping_at if s.settings.heartbeat_s else None) if at is not None]
    return min(instants, default=None)


def _connect(s: Situation, wheel: Wheel) -> Story:
    told = Story([], {})
    called = wheel.at(s.fault_at)
    path = path_of(s, wheel)
    if path.during in ("ack", "rst"):
        told.events.append(Event(FATE_OF[path.during], "syn-retries", called, s.fault_at))
        return told
    course = Syn(wheel, s.settings, path, s.fault_at).run()
    if (second := course.ending("icmp")) is not None:
        # The first ICMP error ends connect() if it comes after connect() let go of the socket (tcp_v4_err,
        # sock_owned_by_user), which is a matter of microseconds; before, it is only noted and the next one counts.
        course.end("icmp", called.joined(second))
    told.take(course, "syn-retries")
    told.determined = not course.fates & {"icmp", "chance"}
    return told


def _keepalive(s: Situation, wheel: Wheel, told: Story, written: int | None) -> bool:
    """Follow the keepalive timer; return whether data may silence it before it decides anything."""
    assert s.heard_at is not None and s.armed_at is not None
    path = path_of(s, wheel)
    timer = Keepalive(wheel, s.settings, path, written)
    armed = wheel.at(s.armed_at, s.heard_at)
    first = timer.pending(armed)
    if s.mapping_expires_at is not None and comes_too_late(s, answered=first is None):
        timer = timer.expired_at(0)
    if path.during == "ack" and path.after == "ack":
        return written is not None
    if s.effect.place == "own-queue":
        return written is not None  # a probe that the host's own queue refuses is not counted
    if first is None:
        heard = wheel.at(s.heard_at)
        if s.traffic in ("idle", "request", "write") and not s.settings.heartbeat_s:
            first = timer.after_answer(heard, s.trip_s or 0.0)  # nobody speaks but the probes
        if first is None:
            told.determined = False
            first = timer.sometime(heard)
        # Nothing was heard between that segment and the fault, so no probe was answered then.
        first = first.from_(path.struck if path.mapped else path.fault) or first
    course = timer.run(first)
    kept = course.ending("kept")
    if kept is not None and s.mapping_expires_at is not None:
        course = after_renewal(timer, course, lasts_ticks(s, timer))
        told.determined = False
    if s.effect.to_peer == "drop" and s.effect.to_survivor == "pass" and s.traffic == "listen":
        # The peer goes on talking until as much as it may send is unacknowledged.
        told.determined = False
        course = _delayed(course, wheel.tick_from(0.5 + 2 * s.rto_s) + wheel.granule(timer.idle))
    told.take(course, "keepalive")
    told.determined = told.determined and "chance" not in course.fates
    return "silenced" in course.fates


def _delayed(course: Course, ticks: int) -> Course:
    """``course`` as it is if it begins up to ``ticks`` later, or earlier if that is negative."""
    endings = [msgspec.structs.replace(end, when=end.when.joined(end.when.later(ticks))) for end in course.endings]
    trace = {what: (lo + min(ticks, 0), hi + max(ticks, 0)) for what, (lo, hi) in course.trace.items()}
    return Course(endings, trace)


class _Data:
    """The data that may go unacknowledged, and what the kernel does about it."""

    def __init__(self, s: Situation, wheel: Wheel, written: float | None, full: bool) -> None:
        self.s, self.wheel, self.full = s, wheel, full
        self.path, self.written_s = path_of(s, wheel, full=full), written
        self.written = None if written is None else wheel.at(written)
        self.tick = None
        if self.written is None or written is None:
            return
        tick = wheel.tick(written)
        after = self.path.heal is not None and tick >= self.path.heal
        mapped = s.mapping_expires_at is not None and written < s.mapping_expires_at
        self.reply = self.path.after if after else "ack" if mapped else self.path.during
        if self.reply == "icmp" and s.effect.icmp == "admin":
            # Noted as the error to report, but no backoff is taken back: the times are those of silence.
            self.reply = "silence"
            self.path = msgspec.structs.replace(self.path, during="silence")
        if self.reply != "ack":
            self.tick = self.written.lo

    def follow(self, told: Story) -> None:
        assert self.written is not None
        s, wheel = self.s, self.wheel
        timer = Retransmission(wheel, s.settings, self.path, s.rto_s, s.srtt_s)
        if self.reply == "rst":
            told.events.append(Event("reset", "retries", self.written, self.written_s))
            return
        if s.effect.place in NEVER_OUT:
            self._unsent(told)
            return
        if self.reply == "icmp":
            told.determined = False
            told.take(rejected(timer, self.written), "retries")
            return
        stream = s.traffic == "stream"
        course = timer.run(self.written, s.segments, stream=stream)
        if s.effect.to_peer == "big-drop":
            # A small last segment gets through; then the clock starts at the fast retransmission, up to an RTO sooner.
            told.determined = False
            sooner = timer.rto + wheel.granule(timer.rto)
            course.endings = [
                msgspec.structs.replace(end, when=end.when.joined(end.when.later(-sooner))) for end in course.endings
            ]
        if self._disbelieved(course):
            # The next hop is asked for again, in vain, and the host tells itself that it is unreachable.
            told.determined = False
            for end in rejected(timer, self.written).endings:
                course.end(end.fate, end.when)
        told.take(course, "retries")
        if stream or "chance" in course.fates:
            told.determined = False

    def _unsent(self, told: Story) -> None:
        """The segment stays where it is, unsent, and is tried again."""
        assert self.written is not None
        s, wheel = self.s, self.wheel
        timer = Persist(wheel, s.settings, self.path, s.rto_s, 0.0, s.effect.place, "attempt to send")
        course = timer.run(self.written)
        if s.traffic == "stream":
            told.determined = False
            course = _delayed(course, wheel.tick_from(_NEXT_WRITE_S) + wheel.granule(timer.base))
            if s.effect.place == "own-link":
                # While the device goes down a segment may still vanish in it, believed to be sent. Then the
                # retransmission timer runs, and as nothing can be sent again the clock starts at the write.
                course = _delayed(course, -timer.base - wheel.tick_from(_WRITES_S))
        told.take(course, "retries")

    def _disbelieved(self, course: Course) -> bool:
        died = course.ending("died")
        return died is not None and unreachable_next_hop(self.s, self.wheel.seconds(died.hi))
