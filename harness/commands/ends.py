"""How a command ends: an exit code always, and one line where something was refused or cannot be had."""

import sys
from collections.abc import Callable

from harness.errors import HalfopenError


def code_of(action: Callable[[], int]) -> int:
    try:
        return action()
    except HalfopenError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
