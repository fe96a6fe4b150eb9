"""What is asked of a router's agent, in which order; what is said where its kernel refuses."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import Unavailable
from harness.labs.protocols import Flow, Mark
from harness.labs.ssh.router import RouterPath
from netns.between import Between

_ONE = Flow(ipv=4, client_port=40_000, server_port=7000)
_TWO = Flow(ipv=4, client_port=40_001, server_port=7000)
_ONLY = Between({4: "198.18.1.2"}, {4: "198.18.2.3"})


class Agent:
    """Does nothing and says so. ``refuses``: what its kernel answers to netlink."""

    def __init__(self, refuses: int = 0) -> None:
        self.asked: list[str] = []
        self._refuses = refuses

    async def ask(self, do: str, to: str = "agent", **arguments: Any) -> dict[str, Any]:
        name = arguments.get("name", "")
        self.asked.append(f"{do} {name}".strip().partition("-")[0])
        at = len(self.asked)
        words = "no such thing" if self._refuses else ""
        return {"before": at, "after": at, "errno": self._refuses, "text": words, "answers": [], "value": 1}


def _host(agent: Agent) -> Any:
    async def sysctl(name: str, value: int | None = None, missing: int | None = None) -> int:
        await agent.ask(f"set {name}")
        return value if "ipv4" in name and value is not None else missing or 0

    async def restore(name: str) -> None:
        await agent.ask(f"restore {name}")

    return SimpleNamespace(
        agent=agent,
        asked=SimpleNamespace(name_typed="gate"),
        sysctl=sysctl,
        restore=restore,
        mark=lambda said: Mark(before=said["before"], after=said["after"]),
        now_mark=lambda: Mark(before=-1, after=-1),
    )


def _asked(work: Callable[[RouterPath], Awaitable[None]]) -> list[str]:
    """What was asked of the agent once the table was there."""
    agent = Agent()

    async def run() -> None:
        path = await RouterPath.build(_host(agent), _ONLY)
        agent.asked.clear()
        try:
            await work(path)
        finally:
            path.close()

    asyncio.run(run())
    return agent.asked


def test_the_tables_removal_is_promised_before_it_is_put() -> None:
    agent = Agent()

    async def run() -> None:
        (await RouterPath.build(_host(agent), _ONLY)).close()

    asyncio.run(run())
    assert agent.asked == ["promise halfopen", "netlink"]


@pytest.mark.parametrize(
    ("number", "said"), [(errno.EOPNOTSUPP, "'modprobe -a nf_tables"), (errno.EPERM, "the kernel refused it: no such")]
)
def test_a_kernel_that_refuses_is_one_line(number: int, said: str) -> None:
    async def run() -> None:
        with pytest.raises(Unavailable) as told:
            await RouterPath.build(_host(Agent(number)), _ONLY)
        line = str(told.value)
        assert line.startswith("gate: ")
        assert said in line
        assert "\n" not in line

    asyncio.run(run())


def test_the_limit_is_lifted_before_the_first_refusal_and_restored_after_the_last() -> None:
    async def work(path: RouterPath) -> None:
        await path.reject(_ONE, "host", "server")
        await path.reject(_TWO, "host", "server")
        await path.heal(_ONE)
        await path.heal(_TWO)

    lifting = ["set net.ipv4.icmp_ratemask", "set net.ipv6.icmp.ratemask"]
    # The one that this kernel lacks is not restored.
    assert _asked(work) == [*lifting, *["netlink"] * 4, "restore net.ipv4.icmp_ratemask"]


def test_only_the_connection_watched_next_is_translated() -> None:
    async def work(path: RouterPath) -> None:
        await path.masquerade(5, "silent")
        await path.watch(_ONE)
        await path.watch(_TWO)
        await path.unwatch(_TWO)
        await path.unwatch(_ONE)
        await path.unwatch(_ONE)

    assert _asked(work) == ["netlink", "promise halfopen", "netlink", "netlink", "undo halfopen"]


def test_marks_bracket_the_last_undoing() -> None:
    marks = []

    async def work(path: RouterPath) -> None:
        marks.append(await path.cut(_ONE, to_client=True, to_server=True))
        marks.append(await path.shrink_mtu(_ONE, "server", 1280))
        marks.append(await path.heal(_ONE))
        marks.append(await path.heal(_ONE))

    assert len(_asked(work)) == 4
    assert [mark.before for mark in marks] == [1, 2, 4, -1]
