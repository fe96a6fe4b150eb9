"""An agent in a network namespace of its own, as on a host of its own, and what is asked of its kernel."""

import base64
import os
import struct

from netns import nft
from tests.lab.bundled import Bundled

NETFILTER, ROUTE = 12, 0
ALONE = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--net")

# RTM_NEWLINK, request and acknowledge, 1: lo, IFF_UP (rtnetlink(7))
_LO_UP = struct.pack("=IHHII", 32, 16, 0x5, 1, 0) + struct.pack("=BxHiII", 0, 0, 1, 1, 1)


def alone(*wrapper):
    """An agent on a host whose loopback is up."""
    agent = Bundled(*ALONE, *wrapper)
    assert agent.ask("netlink", protocol=ROUTE, data=text(_LO_UP), wait=[1])["errno"] == 0
    return agent


def beside(agent):
    """A second agent on the same host."""
    user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
    return Bundled("nsenter", f"--target={agent.process.pid}", *user, "--net")


def text(data):
    return base64.b64encode(data).decode()


def encoded(*messages):
    """nftables messages as the agent is given them."""
    request = nft.batch(messages)
    return {"protocol": NETFILTER, "data": text(request.data), "wait": list(request.sequences)}


CUT = encoded(
    nft.new_table(), nft.new_chain("out", nft.LOCAL_OUT), nft.new_rule("out", "cut", nft.match_tcp() + nft.drop())
)
HEAL = {"netlink": encoded(nft.delete_table())}
NOTHING = encoded()


def tables(agent):
    """How many tables of nftables the host has."""
    message, _, _ = nft.new_table()
    message["attrs"] = []
    message["header"].update(type=nft.GET_TABLE, flags=0x301, sequence_number=1)
    message.encode()
    return len(agent.ask("netlink", protocol=NETFILTER, data=text(bytes(message.data)), dump=True)["answers"])
