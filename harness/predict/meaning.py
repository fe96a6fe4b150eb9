"""What settings mean, before anything is measured: the defaults that stay in force, and who will decide.

Nominal times, without the timer wheel's rounding (up to 12.7 % more). Facts: tcp(7), kernel-facts; RFC 1122 4.2.3.6.
"""

from harness.predict.amounts import amount
from harness.predict.retransmit import model_timeout_ms
from harness.predict.situation import Effect
from harness.spec.settings import Settings

_HZ = 1000
_DEFAULT_INTERVAL_S, _DEFAULT_COUNT = 75, 9


def meaning(settings: Settings, traffic: str = "idle", effect: Effect | None = None) -> list[str]:
    """Return sentences that say what ``settings`` imply for ``traffic``, and for what ``effect`` does to it."""
    told: list[str] = []
    effect = effect or Effect(to_peer="drop", to_survivor="drop", peer="dead")
    if traffic == "connect":
        return _connect(settings)
    if effect.peer == "hung":
        told.append("A hung peer's kernel goes on acknowledging: only a read deadline or a heartbeat can notice.")
    if settings.keepalive:
        told += _keepalive(settings)
    if traffic in ("write", "stream") or settings.heartbeat_s:
        told += _unacked(settings)
    elif traffic != "blocked" and settings.user_timeout_ms and not settings.keepalive:
        told.append("--user-timeout alone never ends an idle connection: without --keepalive nothing is sent.")
    if traffic == "blocked":
        told += _blocked(settings)
    if settings.read_deadline_s and not settings.heartbeat_s and traffic != "listen":
        told.append(
            f"A read deadline of {amount(settings.read_deadline_s)} also ends a healthy connection on which the peer "
            "has nothing to say; a heartbeat shorter than it would keep it quiet."
        )
    if settings.heartbeat_s:
        least = settings.heartbeat_misses * settings.heartbeat_s
        told.append(
            f"--heartbeat {_plain(settings.heartbeat_s)} with {settings.heartbeat_misses} misses calls the peer dead "
            f"{amount(least)} to {amount(least + settings.heartbeat_s)} after it has gone, hung programs included."
        )
    return told


def _plain(seconds: float) -> str:
    return f"{seconds:g}"


def _keepalive(settings: Settings) -> list[str]:
    idle, interval, count = settings.idle_s, settings.interval_s, settings.count
    total = idle + count * interval
    if settings.user_timeout_ms:
        limit = settings.user_timeout_ms / 1000
        steps = max(1, -(-(settings.user_timeout_ms - idle * 1000) // (interval * 1000)))
        return [
            f"--user-timeout {_plain(limit)} takes the place of --probes {count}: the connection dies at the first "
            f"{interval} s step after the first probe by which {amount(limit)} have passed, which is {idle} + "
            f"{steps} x {interval} = {amount(idle + steps * interval)}, not {idle} + {count} x "
            f"{interval} = {amount(total)}."
        ]
    sums = f"{idle} + {count} x {interval} = {amount(total)}"
    kept = [
        name
        for name, default, value in (
            ("--interval", _DEFAULT_INTERVAL_S, interval),
            ("--probes", _DEFAULT_COUNT, count),
        )
        if value == default
    ]
    if not kept:
        return [f"--keepalive {idle} --interval {interval} --probes {count} is {sums}."]
    shorter_interval, shorter_count = max(1, min(interval, idle // 3)), min(count, 3)
    better = idle + shorter_count * shorter_interval
    text = f"--keepalive {idle} is {sums}: the kernel's default for {' and '.join(kept)} stays"
    if len(kept) == 2:
        text = f"--keepalive {idle} alone is {sums}: the kernel's defaults for {' and '.join(kept)} stay"
    if better < total:
        text += f"; --interval {shorter_interval} --probes {shorter_count} would make it {amount(better)}"
    return [text + "."]


def _unacked(settings: Settings) -> list[str]:
    silent = (
        "Keepalive is silent while data is unacknowledged: " if settings.keepalive else "While data is unacknowledged "
    )
    if settings.user_timeout_ms:
        return [
            f"{silent}--user-timeout decides, {amount(settings.user_timeout_ms / 1000)} after the first retransmission "
            "(about 0.4 s after the write)."
        ]
    rto_max = settings.rto_max_ms * _HZ // 1000
    limit = model_timeout_ms(settings.retries2, _HZ // 5, rto_max, _HZ) / 1000
    return [
        f"{silent}tcp_retries2 = {settings.retries2} decides: a limit of {amount(limit)}, reached at the first "
        "retransmission timer after it; --user-timeout would bound it."
    ]


def _blocked(settings: Settings) -> list[str]:
    if settings.user_timeout_ms:
        return [
            f"--user-timeout {_plain(settings.user_timeout_ms / 1000)} also kills a connection whose peer is alive but "
            f"does not read for {amount(settings.user_timeout_ms / 1000)}."
        ]
    return [
        f"While the window is closed keepalive has no effect: tcp_retries2 = {settings.retries2} unanswered window "
        "probes decide, and a peer that answers them is waited for without end."
    ]


def _connect(settings: Settings) -> list[str]:
    if settings.user_timeout_ms:
        return [f"--user-timeout bounds connect() too: {amount(settings.user_timeout_ms / 1000)}."]
    limit = model_timeout_ms(settings.syn_count, _HZ, settings.rto_max_ms * _HZ // 1000, _HZ) / 1000
    return [f"{settings.syn_count} SYN retries stand for {amount(limit)}; keepalive plays no part in connect()."]
