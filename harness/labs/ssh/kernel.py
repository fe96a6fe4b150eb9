"""A host's kernel, for code that speaks netlink synchronously: requests go as bytes to the host's agent, and back.

Call it from any thread but the event loop's, which meanwhile carries the question.
"""

import asyncio
import base64
import concurrent.futures
from collections.abc import Iterator
from typing import Any

from pyroute2.netlink import NLM_F_DUMP

from harness.labs.ssh.edge import Asker, packed
from netns.errors import LabError
from netns.netlink import NetlinkRefusal, Request, Stamps, encode

# The agent has its own limit, which is shorter.
_WITHIN_S = 15.0


class FarKernel:
    """``netns.netlink.Kernel`` for one netlink protocol. Stamps are of that host's clock. Raises EndpointGone."""

    def __init__(self, agent: Asker, protocol: int) -> None:
        self._agent, self._protocol = agent, protocol
        self._loop = asyncio.get_running_loop()

    def send(self, request: Request, tolerate: frozenset[int] = frozenset()) -> Stamps:
        said = self._ask(request, tolerate=sorted(tolerate))
        return Stamps(said["before"], said["after"])

    def dump(self, message: Any, kind: int, flags: int = NLM_F_DUMP) -> Iterator[bytes]:
        for answer in self._ask(encode([(message, kind, flags)]), dump=True)["answers"]:
            yield base64.b64decode(answer)

    def close(self) -> None:
        """The socket is the agent's, and goes with it."""

    def _ask(self, request: Request, **how: Any) -> dict[str, Any]:
        asking = self._agent.ask("netlink", **packed(self._protocol, request), **how)
        try:
            said = asyncio.run_coroutine_threadsafe(asking, self._loop).result(_WITHIN_S)
        except (TimeoutError, concurrent.futures.CancelledError):
            raise LabError("its agent was not heard any more") from None
        if said["errno"]:
            raise NetlinkRefusal(f"the kernel refused it: {said['text']}", said["errno"])
        return said
