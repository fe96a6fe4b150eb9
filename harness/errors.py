"""The errors that a user meets: each is one line and an exit code. A traceback reaches a user only through a bug."""


class HalfopenError(Exception):
    """Base of every error that ends a command with one clear line.

    ``exit_code``: 2 refused value, 3 measured but not proved or not as predicted, 4 cannot run here.
    """

    exit_code = 1


class Refused(HalfopenError):
    """A value that was asked for cannot be had; the line says which, and what is allowed."""

    exit_code = 2


class Unavailable(HalfopenError):
    """This machine or host cannot run it; the line says what is missing and how to get it."""

    exit_code = 4
