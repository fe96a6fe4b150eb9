"""The power switch of a test host, as a command: ``switch.py NAME on|off``, from within the controller's namespace.

The process that keeps the hosts listens there, at an abstract address: such addresses belong to a network namespace.
"""

import json
import socket
import sys

ADDRESS = "\0halfopen-test-hosts"


def main() -> None:
    name, state = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(ADDRESS)
        sock.sendall(json.dumps({"do": f"power_{state}", "name": name}).encode() + b"\n")
        answer = json.loads(sock.makefile().readline())
    if "error" in answer:
        sys.exit(answer["error"])


if __name__ == "__main__":
    main()
