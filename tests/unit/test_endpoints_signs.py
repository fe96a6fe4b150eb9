import errno
import os
import socket

import pytest

from harness.endpoints.signs import sign_of


@pytest.mark.parametrize(
    ("number", "sign"),
    [
        (errno.ETIMEDOUT, "ETIMEDOUT"),
        (errno.ECONNRESET, "ECONNRESET"),
        (errno.EPIPE, "EPIPE"),
        (errno.EHOSTUNREACH, "EHOSTUNREACH"),
        (errno.ENETUNREACH, "ENETUNREACH"),
        (errno.ECONNREFUSED, "ECONNREFUSED"),
        (errno.EAGAIN, "deadline"),
        (errno.EACCES, "EACCES"),
        (errno.ENOPROTOOPT, "ENOPROTOOPT"),
        (9999, "errno 9999"),
    ],
)
def test_an_errno_has_its_word(number, sign):
    assert sign_of(OSError(number, os.strerror(number))) == sign


def test_a_deadline_and_etimedout_are_one_class_and_two_signs():
    here, there = socket.socketpair()
    here.settimeout(0.001)
    with here, there, pytest.raises(TimeoutError) as deadline:
        here.recv(1)
    died = OSError(errno.ETIMEDOUT, "Connection timed out")
    assert isinstance(died, TimeoutError) and isinstance(deadline.value, TimeoutError)
    assert (sign_of(deadline.value), sign_of(died)) == ("deadline", "ETIMEDOUT")
