"""Trials of every kind that the predictor covers, drawn at random from a seed: no two seeds ask the same."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from harness.spec.settings import Asked
from harness.spec.trial import Trial


class Draw:
    """Draws settings: short enough to wait for, spread over several levels of the timer wheel."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def one_of(self, *choices: Any) -> Any:
        return self._random.choice(choices)

    def between(self, low: float, high: float) -> float:
        return round(self._random.uniform(low, high), 3)

    def keepalive(self) -> dict[str, int]:
        return {
            "idle_s": self._random.randint(1, 6),
            "interval_s": self._random.randint(1, 3),
            "count": self._random.randint(1, 3),
        }

    def milliseconds(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


Make = Callable[[Draw], dict[str, Any]]


def _with(asked: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"asked": Asked(**asked), **rest}


def keepalive(draw: Draw) -> dict[str, Any]:
    fault = draw.one_of("crash-client", "crash-server", "cut-link")
    return _with(draw.keepalive(), fault=fault, quiet_s=draw.between(0.05, 3))


def keepalive_with_user_timeout(draw: Draw) -> dict[str, Any]:
    asked = {**draw.keepalive(), "user_timeout_ms": draw.milliseconds(300, 12_000)}
    return _with(asked, fault="cut-link", quiet_s=draw.between(0.05, 2))


def user_timeout_alone(draw: Draw) -> dict[str, Any]:
    return _with({"user_timeout_ms": draw.milliseconds(300, 5_000)}, fault="cut-link")


def unacked_with_user_timeout(draw: Draw) -> dict[str, Any]:
    traffic = draw.one_of("write", "write", "stream")
    return _with({"user_timeout_ms": draw.milliseconds(100, 12_000)}, fault="cut-link", traffic=traffic)


def unacked_with_retries(draw: Draw) -> dict[str, Any]:
    return _with({"retries2": draw.one_of(2, 3, 4)}, fault="cut-link", traffic=draw.one_of("write", "write", "stream"))


def unacked_with_rto_max(draw: Draw) -> dict[str, Any]:
    asked = {"retries2": draw.one_of(3, 5), "rto_max_ms": draw.milliseconds(1_000, 4_000)}
    return _with(asked, fault="cut-link", traffic="write")


def write_while_probing(draw: Draw) -> dict[str, Any]:
    asked = {"idle_s": 1, "interval_s": 1, "count": 3, "retries2": 4}
    return _with(asked, fault="cut-link", traffic="write", write_after_s=draw.between(0.3, 3.5))


def zero_window_with_user_timeout(draw: Draw) -> dict[str, Any]:
    # The user timeout runs from before the fault, and the survivor must live to see that.
    asked = {"user_timeout_ms": draw.milliseconds(2_000, 8_000)}
    return _with(asked, **draw.one_of({"fault": "fill-window"}, {"fault": "cut-link", "traffic": "blocked"}))


def zero_window_with_retries(draw: Draw) -> dict[str, Any]:
    return _with({"retries2": draw.one_of(2, 3, 4)}, fault="cut-link", traffic="blocked", quiet_s=draw.between(0.1, 1))


def connecting(draw: Draw) -> dict[str, Any]:
    asked = draw.one_of({"syn_count": draw.one_of(1, 2, 3)}, {"user_timeout_ms": draw.milliseconds(1_000, 12_000)})
    return _with(asked, fault="connect", traffic="connect")


def connecting_in_vain(draw: Draw) -> dict[str, Any]:
    """The router answers every SYN: connect() ends with the first answer or with the second."""
    options = {"icmp": draw.one_of("host", "net", "admin")}
    return _with({"syn_count": 2}, fault="connect", traffic="connect", options=options)


def cut_elsewhere(draw: Draw) -> dict[str, Any]:
    """The cut is put where the survivor's own kernel learns of it, or where somebody says so."""
    asked, traffic = draw.one_of(
        ({"idle_s": 1, "interval_s": 1, "count": 2}, "idle"),
        ({"user_timeout_ms": draw.milliseconds(2_000, 5_000)}, draw.one_of("write", "stream", "blocked")),
        ({"retries2": draw.one_of(2, 3, 4)}, draw.one_of("write", "stream", "blocked")),
    )
    where = draw.one_of("own-queue", "own-filter", "own-link", "far-link", "next-hop")
    return _with(asked, fault="cut-link", traffic=traffic, options={"where": where})


def read_deadline(draw: Draw) -> dict[str, Any]:
    asked = {"read_deadline_s": draw.between(0.3, 8), "deadline_by": draw.one_of("poll", "rcvtimeo")}
    return _with(asked, fault="cut-link", traffic=draw.one_of("idle", "request", "listen"))


def write_deadline(draw: Draw) -> dict[str, Any]:
    asked = {"write_deadline_s": draw.between(0.3, 4)}
    return _with(asked, fault="cut-link", traffic=draw.one_of("stream", "blocked"))


def heartbeat(draw: Draw) -> dict[str, Any]:
    asked = {"heartbeat_s": draw.between(0.2, 2), "heartbeat_misses": draw.one_of(1, 2, 3)}
    if draw.one_of(True, False):
        asked["user_timeout_ms"] = draw.milliseconds(1_000, 6_000)
    return _with(asked, fault=draw.one_of("cut-link", "freeze-server", "crash-client"))


def outage_felt_by_keepalive(draw: Draw) -> dict[str, Any]:
    asked = {"idle_s": draw.one_of(1, 2, 3), "interval_s": 1, "count": draw.one_of(2, 3)}
    return _with(asked, fault="flap-link", options={"down": draw.between(0.2, 7)})


def outage_felt_by_data(draw: Draw) -> dict[str, Any]:
    asked = draw.one_of({}, {"user_timeout_ms": draw.milliseconds(1_000, 5_000)})
    return _with(
        asked, fault="flap-link", traffic=draw.one_of("write", "stream"), options={"down": draw.between(0.3, 6)}
    )


def nat_forgets(draw: Draw) -> dict[str, Any]:
    """Held for ever, renewed once by a probe whose successor comes too late, or not renewed at all."""
    # After a pause as long as the timeout a router that resets may take the socket away before it can be looked at.
    idle, interval, timeout = draw.one_of((1, 1, 2), (3, 1, 2), (4, 1, 3), (1, 2, 2), (1, 3, 3), (2, 3, 3), (1, 3, 2))
    asked = {"idle_s": idle, "interval_s": interval, "count": draw.one_of(1, 2)}
    if draw.one_of(True, False, False):
        asked["user_timeout_ms"] = draw.milliseconds(500, 5_000)
    traffic = draw.one_of("idle", "idle", "request", "write") if "user_timeout_ms" in asked else "idle"
    answer = "silent" if timeout in (idle, interval) else draw.one_of("silent", "reset")
    options = {"nat-timeout": timeout, "on-expiry": answer}
    return _with(asked, fault="expire-nat", traffic=traffic, options=options)


def reboot(draw: Draw) -> dict[str, Any]:
    asked = {"idle_s": draw.one_of(1, 2, 5), "interval_s": 1, "count": 2}
    return _with(
        asked, fault=draw.one_of("reboot-client", "reboot-server"), traffic=draw.one_of("idle", "write", "request")
    )


def one_way(draw: Draw) -> dict[str, Any]:
    direction = draw.one_of("to-client", "to-server")
    traffic = draw.one_of("idle", "request", "listen")
    return _with(draw.keepalive(), fault="cut-link", traffic=traffic, options={"direction": direction})


def rejected(draw: Draw) -> dict[str, Any]:
    asked = draw.one_of({"user_timeout_ms": draw.milliseconds(500, 5_000)}, draw.keepalive())
    traffic = "idle" if "idle_s" in asked else draw.one_of("write", "stream")
    return _with(asked, fault="reject-packets", traffic=traffic, options={"icmp": draw.one_of("host", "net", "admin")})


def lossy(draw: Draw) -> dict[str, Any]:
    asked = {"idle_s": 1, "interval_s": 1, "count": draw.one_of(2, 3)}
    return _with(asked, fault="drop-packets", options={"percent": draw.one_of(30.0, 60.0, 100.0)}, limit_s=12.0)


def large_packets_lost(draw: Draw) -> dict[str, Any]:
    if draw.one_of(True, False, False):
        asked = {"idle_s": 1, "interval_s": 1, "count": 2}
        return _with(asked, fault="shrink-mtu", traffic=draw.one_of("idle", "request", "listen"))
    return _with({"user_timeout_ms": draw.milliseconds(500, 6_000)}, fault="shrink-mtu", traffic="write")


def control(draw: Draw) -> dict[str, Any]:
    fault = draw.one_of("kill-client", "kill-server", "no-fault")
    traffic = draw.one_of("idle", "write", "stream", "request", "listen", "blocked")
    return _with({"idle_s": 1, "interval_s": 1, "count": 2}, fault=fault, traffic=traffic, limit_s=6.0)


# Each with its weight: the commonest questions are asked most often.
KINDS: tuple[tuple[Make, int], ...] = (
    (keepalive, 5),
    (keepalive_with_user_timeout, 3),
    (user_timeout_alone, 1),
    (unacked_with_user_timeout, 3),
    (unacked_with_retries, 2),
    (unacked_with_rto_max, 1),
    (write_while_probing, 2),
    (zero_window_with_user_timeout, 2),
    (zero_window_with_retries, 1),
    (connecting, 2),
    (connecting_in_vain, 1),
    (cut_elsewhere, 2),
    (read_deadline, 2),
    (write_deadline, 1),
    (heartbeat, 2),
    (outage_felt_by_keepalive, 2),
    (outage_felt_by_data, 2),
    (nat_forgets, 2),
    (reboot, 2),
    (one_way, 2),
    (rejected, 2),
    (lossy, 1),
    (large_packets_lost, 1),
    (control, 2),
)

_FIXED = {"crash-client": "server", "crash-server": "client", "freeze-server": "client"}
_FIXED |= {"kill-client": "server", "kill-server": "client", "reboot-client": "server", "reboot-server": "client"}


def draw_trials(seed: int, count: int) -> Iterator[Trial]:
    """Yield ``count`` trials, every kind in its turn."""
    draw = Draw(seed)
    order = [make for make, weight in KINDS for _ in range(weight)]
    for number in range(count):
        drawn = order[number % len(order)](draw)
        survivor = _FIXED.get(drawn["fault"]) or (
            "client" if drawn["fault"] == "connect" else draw.one_of("client", "server")
        )
        yield msgspec.structs.replace(
            Trial(fault=drawn.pop("fault")), **drawn, survivor=survivor, ipv=draw.one_of(4, 6), number=number
        )
