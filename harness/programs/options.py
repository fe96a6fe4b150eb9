"""What can be asked of the two programs. Durations are seconds; ports are TCP's, 16 bits."""

from harness.spec.options import Option
from harness.spec.parse import choice, duration, whole

CLOSES = ("graceful", "immediate", "half")
MODES = ("read", "write", "interactive")

SERVER = (
    Option("port", "TCP port, 0 to 65535; 0: the kernel chooses (8080)", whole("--port", 0, 65_535), default=8080),
    Option("bind", "address or name to listen on (every address, IPv4 and IPv6)", str),
    Option(
        "close",
        "graceful: close(), a FIN; immediate: SO_LINGER 0, an RST; half: shutdown(SHUT_WR), and read on (graceful)",
        choice("--close", *CLOSES),
        default="graceful",
        field="how",
    ),
    Option(
        "delay",
        "how long after a client has come its connection is closed, 0 to 86400s (3)",
        duration("--delay", 0.0, 86_400),
        default=3.0,
        field="delay_s",
    ),
)

CLIENT = (
    Option("port", "TCP port, 1 to 65535 (8080)", whole("--port", 1, 65_535), default=8080),
    Option("host", "address or name of the server (localhost)", str, default="localhost"),
    Option(
        "mode",
        "read: only read; write: a numbered line each second as well; interactive: each line of the input (read)",
        choice("--mode", *MODES),
        default="read",
    ),
)
