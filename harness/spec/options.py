"""The options that every experiment has: name, help, parser. The commands and the sweeps read them from here.

Ranges are the kernel's (EINVAL outside; net/ipv4/tcp.c, do_tcp_setsockopt; sysctl_net_ipv4.c).
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from harness.errors import Refused
from harness.spec.parse import choice, duration, folder, milliseconds, version, whole, whole_seconds
from harness.spec.settings import Asked
from harness.spec.trial import TRAFFIC

_HZ = ("100", "250", "300", "1000")


class Option(msgspec.Struct, frozen=True):
    """``parse`` turns what was typed into its value, raising Refused; ``default`` is the value when nothing was.

    ``field``: the name of the value where it differs from the option's; ``is_flag``: given or not, without a value;
    ``value_optional``: given with a value or without one.
    """

    name: str
    help: str
    parse: Callable[[str], Any]
    default: Any = None
    field: str = ""
    is_flag: bool = False
    value_optional: bool = False

    @property
    def parameter(self) -> str:
        """The name as Python spells it."""
        return self.name.replace("-", "_")


SETTINGS = (
    Option(
        "keepalive",
        "idle seconds before the first probe, 1 to 32767; switches SO_KEEPALIVE on (TCP_KEEPIDLE)",
        whole_seconds("--keepalive", 1, 32_767),
        field="idle_s",
    ),
    Option(
        "interval",
        "seconds between probes, 1 to 32767 (TCP_KEEPINTVL; kernel: 75)",
        whole_seconds("--interval", 1, 32_767),
        field="interval_s",
    ),
    Option("probes", "unanswered probes, 1 to 127 (TCP_KEEPCNT; kernel: 9)", whole("--probes", 1, 127), field="count"),
    Option(
        "user-timeout",
        "how long data may stay unacknowledged, 1ms to 2147483647ms; 0 is off (TCP_USER_TIMEOUT; kernel: 0)",
        milliseconds("--user-timeout", 0, 2_147_483_647),
        field="user_timeout_ms",
    ),
    Option(
        "read-deadline",
        "the survivor's program gives up after this much silence",
        duration("--read-deadline"),
        field="read_deadline_s",
    ),
    Option(
        "write-deadline",
        "the survivor's program gives up on a write that is stuck for so long",
        duration("--write-deadline"),
        field="write_deadline_s",
    ),
    Option(
        "deadline-by",
        "who keeps the read deadline: poll (the program) or rcvtimeo (SO_RCVTIMEO, the kernel)",
        choice("--deadline-by", "poll", "rcvtimeo"),
        default="poll",
        field="deadline_by",
    ),
    Option(
        "heartbeat",
        "the survivor's program pings the peer's so often",
        duration("--heartbeat", 0.01),
        field="heartbeat_s",
    ),
    Option(
        "heartbeat-misses",
        "pings in a row without an answer that mean death, 1 to 1000",
        whole("--heartbeat-misses", 1, 1000),
        default=2,
        field="heartbeat_misses",
    ),
    Option(
        "retries",
        "retransmissions of data, 0 to 255 (sysctl tcp_retries2; kernel: 15)",
        whole("--retries", 0, 255),
        field="retries2",
    ),
    Option(
        "rto-max",
        "longest retransmission timeout, 1s to 120s (TCP_RTO_MAX_MS, Linux 6.15; kernel: 120s)",
        milliseconds("--rto-max", 1_000, 120_000),
        field="rto_max_ms",
    ),
    Option(
        "syn-retries",
        "retransmissions of a SYN, 1 to 127 (TCP_SYNCNT; kernel: 6)",
        whole("--syn-retries", 1, 127),
        field="syn_count",
    ),
)

TRIAL = (
    Option(
        "traffic",
        "what goes on when the fault strikes: " + ", ".join(TRAFFIC),
        choice("--traffic", *TRAFFIC),
        field="traffic",
    ),
    Option(
        "survivor",
        "which end is measured: client or server",
        choice("--survivor", "client", "server"),
        field="survivor",
    ),
    Option("ipv", "IP version: 4 or 6", lambda text: int(choice("--ipv", "4", "6")(text)), default=4, field="ipv"),
    Option(
        "quiet",
        "how long the connection has been silent before the fault",
        duration("--quiet", 0.0, 86_400),
        default=0.2,
        field="quiet_s",
    ),
    Option(
        "write-after",
        "with --traffic write: how long after the fault the write is made",
        duration("--write-after", 0.0, 86_400),
        default=0.0,
        field="write_after_s",
    ),
    Option("limit", "watch for so long, whatever the prediction says", duration("--limit", 0.0), field="limit_s"),
)

RUN = (
    Option("repeat", "so many trials, for a median and its spread", whole("--repeat", 1, 100_000), default=1),
    Option("results", "folder to keep the run in (default: results/)", folder("--results")),
    Option("json", "print the records, one JSON object a line, on standard output", bool, default=False, is_flag=True),
    Option("pcap", "keep the packets in the run's folder, for Wireshark", bool, default=False, is_flag=True),
)


PLACE = (
    Option("hosts", "file that says which machines to run on (docs/hosts.md); without it, namespaces on this one", str),
)

PREDICTION = (
    Option("hz", "the kernel's tick: 100, 250, 300 or 1000", lambda text: int(choice("--hz", *_HZ)(text)), default=250),
    Option("kernel", "the kernel's version, for its known bugs: 6.1.99", version("--kernel"), default="6.18"),
)


def parse(options: tuple[Option, ...], typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return field: value of what was typed; what was not typed has its default. Raises Refused."""
    found = {}
    for option in options:
        text = typed.get(option.parameter)
        value = text if option.is_flag else option.default if text is None else option.parse(str(text))
        found[option.field or option.name] = value
    return found


def asked(typed: Mapping[str, Any]) -> Asked:
    """Return the settings that were typed. Raises Refused, also where one makes no sense without another."""
    settings = Asked(**parse(SETTINGS, typed))
    for name, needs, given, base in (
        ("--interval", "--keepalive", settings.interval_s, settings.idle_s),
        ("--probes", "--keepalive", settings.count, settings.idle_s),
        ("--heartbeat-misses", "--heartbeat", typed.get("heartbeat_misses"), settings.heartbeat_s),
        ("--deadline-by", "--read-deadline", typed.get("deadline_by"), settings.read_deadline_s),
    ):
        if given is not None and base is None:
            raise Refused(f"{name} has no effect without {needs}; give {needs} as well, or leave {name} out")
    return settings
