"""pytest itself must stay outside: the body of a test marked ``inside`` runs in a forked child that has entered the
namespaces. ``@pytest.mark.inside(user="nobody")`` gives up root first (skipped where there is none to give up);
``enter=False`` leaves the entering to the test."""

import ctypes
import gc
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, Never

import pytest

from netns import syscalls
from netns.enter import enter, probe

_NOBODY = 65534
_PR_SET_DUMPABLE = 4
_SKIPPED, _PASSED = b"S", b"P"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "inside(user, enter): run the body in a child that has entered the namespaces")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    forbidden = probe() if any(item.get_closest_marker("inside") for item in items) else None
    if forbidden:
        for item in items:
            if item.get_closest_marker("inside"):
                item.add_marker(pytest.mark.skip(reason=forbidden))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    marker = pyfuncitem.get_closest_marker("inside")
    if marker is None:
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    user = marker.kwargs.get("user") or arguments.get("user")
    if user == "nobody" and os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    _run(lambda: pyfuncitem.obj(**arguments), user, marker.kwargs.get("enter", True))
    return True


@pytest.fixture(params=["caller", "nobody"])
def user(request: pytest.FixtureRequest) -> str:
    """Both users for whom the lab must work."""
    return str(request.param)


def _run(body: Callable[[], object], user: str | None, enters: bool) -> None:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(reading)
        _live(body, user, enters, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            report = pipe.read()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if report[:1] == _SKIPPED:
        pytest.skip(report[1:].decode())
    if report != _PASSED:
        pytest.fail(report.decode() or "the child died without a word", pytrace=False)


def _live(body: Callable[[], object], user: str | None, enters: bool, writing: int) -> Never:
    """The child's life: its report is all that comes out."""
    report = b""
    unraisable: list[Any] = []
    try:
        syscalls.die_with_parent()
        # What the garbage collector finds unclosed is an error here as in any other test.
        warnings.simplefilter("error")
        sys.unraisablehook = unraisable.append
        if user == "nobody":
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
            # A process that changed its user may not write its own uid_map until it is dumpable again, as after exec.
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
        if enters:
            enter()
        body()
        gc.collect()
        assert not unraisable, [entry.exc_value for entry in unraisable]
        report = _PASSED
    except pytest.skip.Exception as skipped:
        report = _SKIPPED + str(skipped).encode()
    except BaseException:
        report = traceback.format_exc().encode()
    finally:
        os.write(writing, report)
        os._exit(0)
