"""Packet faults in the router: nft(8) rules in the path of forwarded packets, through netlink.

Each kind of fault is one rule that looks the packet up in a set: IP version, source port and destination port, as
they stand in the packet. The rules are made beforehand (the commonest) or with their first use; injecting is adding
the flow's keys to the set, both directions in one batch, in force when the system call returns.
Instants are CLOCK_MONOTONIC nanoseconds.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from netns import nft
from netns.between import Between
from netns.errors import LabError
from netns.nat import Nat
from netns.netlink import Kernel, NetlinkRefusal, Stamps
from netns.tracked import Mapping

Toward = Literal["client", "server"]

# Of a flow's key: `meta nfproto`, which fills its register, and the ports.
KEY_LENGTH = 8
_NFPROTO = {4: 2, 6: 10}
_UNREACHABLE = {"net": nft.ICMPX_NO_ROUTE, "host": nft.ICMPX_HOST, "admin": nft.ICMPX_ADMIN}
_FORWARD, _OUTPUT = "forward", "output"
_MODULES = "nf_tables nft_reject_inet nft_numgen"
# The least that IPv4 (RFC 791) lets a link carry.
_LEAST_MTU = 68


@dataclass(frozen=True)
class Flow:
    """One TCP connection through the router. ``ipv``: 4 or 6."""

    ipv: int
    client_port: int
    server_port: int


@dataclass(frozen=True)
class Done:
    """A change to the router: the kernel made it between ``before_ns`` and ``after_ns``.

    ``undo()`` takes it back and returns a Done of its own; calling it again does nothing and returns the same.
    """

    before_ns: int
    after_ns: int
    undo: Callable[[], "Done"]


class Filter:
    """The faults of one router, whose ``kernel`` is closed with it. Use it from one thread at a time.

    ``only``: the two addresses whose packets are meant; None: everybody's. ``nat``: what masquerades, where that is
    for everybody too.
    """

    def __init__(
        self, kernel: Kernel, *, nat: Nat | None = None, table: nft.Table = nft.FAULTS, only: Between | None = None
    ) -> None:
        self._netlink = kernel
        self._nat, self._table = nat, table
        # Which injections want a key in a set: it leaves the set with the last of them.
        self._wanted: dict[tuple[str, bytes], set[object]] = {}
        self._rules: set[str] = set()
        self._past: Counter[str] = Counter()
        spared = [] if only is None else [*only.new_sets(table), *only.spare_others(_FORWARD, table)]
        try:
            self._send(
                [
                    nft.new_table(table),
                    nft.new_chain(_FORWARD, nft.FORWARD, table=table),
                    *spared,
                    *self._new_rule("cut", nft.drop()),
                ]
            )
        except BaseException:
            self._netlink.close()
            raise

    def close(self) -> None:
        """Take everything out of the router."""
        try:
            if self._nat:
                self._nat.stop()
            self._netlink.send(nft.batch([nft.delete_table(self._table)]))
        finally:
            self._netlink.close()

    def cut(self, flow: Flow, to_client: bool = True, to_server: bool = True) -> Done:
        """Drop the flow's packets: the pure black hole."""
        return self._inject([("cut", keys(flow, to_client, to_server))], [])

    def lossy(self, flow: Flow, percent: float, to_client: bool = True, to_server: bool = True) -> Done:
        """Drop ``percent`` of the flow's packets at random, to a hundredth of a percent."""
        if not 0 <= percent <= 100:
            raise LabError(f"a loss of {percent} % cannot be had; 0 to 100 can")
        name = f"lossy-{round(percent * 100)}"
        return self._inject(
            [(name, keys(flow, to_client, to_server))], self._rule(name, nft.match_chance(percent) + nft.drop())
        )

    def reject(self, flow: Flow, kind: Literal["host", "net", "admin"], toward: Toward = "server") -> Done:
        """Answer packets toward ``toward`` with ICMP unreachable (RFC 792, RFC 4443); drop the other direction's."""
        if kind not in _UNREACHABLE:
            raise LabError(f"an ICMP unreachable of kind {kind!r} cannot be had; host, net and admin can")
        name = f"reject-{kind}"
        rejected, dropped = (
            keys(flow, toward == "client", toward == "server"),
            keys(flow, toward == "server", toward == "client"),
        )
        rule = self._rule(name, nft.reject(nft.REJECT_ICMPX, _UNREACHABLE[kind]))
        return self._inject([(name, rejected), ("cut", dropped)], rule)

    def reset(self, flow: Flow, to_client: bool = True, to_server: bool = True) -> Done:
        """Answer the flow's packets (toward the client, toward the server) with RST to their sender."""
        return self._inject(
            [("reset", keys(flow, to_client, to_server))], self._rule("reset", nft.reject(nft.REJECT_RST))
        )

    def shrink_mtu(self, flow: Flow, toward: Toward, mtu: int) -> Done:
        """Make the flow's path toward that host a PMTU black hole (RFC 2923): longer packets vanish without ICMP.

        By a rule, not by the device's MTU: a veth with a smaller MTU would drop what it receives as well, below 1280
        bytes it would lose IPv6 altogether, and it would be so for every flow.
        """
        if not _LEAST_MTU <= mtu <= 65535:
            raise LabError(f"an MTU of {mtu} cannot be had; {_LEAST_MTU} to 65535 can")
        name = f"mtu-{mtu}"
        rule = self._rule(name, nft.match_longer(mtu) + nft.drop())
        return self._inject([(name, keys(flow, toward == "client", toward == "server"))], rule)

    def counters(self) -> dict[str, int]:
        """Packets that each kind of fault has dropped or refused so far, by name, and in "total"."""
        counts = Counter(self._past)
        counts.update(nft.dropped(self._netlink, self._table))
        return {**counts, "total": counts.total()}

    def masquerade(self, timeout_s: int, on_expiry: Literal["silent", "reset"] = "silent") -> Done:
        """Have the router translate what the client opens, and forget a connection idle for ``timeout_s`` (see Nat)."""
        if self._nat is None:
            raise LabError("this router does not translate for everybody")
        self._remember("nat-")
        stamps = self._nat.start(timeout_s, on_expiry)
        return Done(*stamps, once(self.unmasquerade))

    def unmasquerade(self) -> Done:
        """Forward untranslated again. Connections made through the translation do not survive it."""
        self._remember("nat-")
        stamps = self._nat.stop() if self._nat else self._send([])
        return _final(stamps)

    def mappings(self) -> list[Mapping]:
        """The connections that the router translates at this instant."""
        return self._nat.mappings() if self._nat else []

    def forget(self, flow: Flow) -> Done:
        """Have the router forget the flow's mapping, as after its reboot. It cannot be undone: undo does nothing."""
        if self._nat is None:
            raise LabError("the router translates nothing: masquerade first")
        return _final(self._nat.forget(flow.ipv, flow.client_port, flow.server_port))

    def _inject(self, keys_by_set: Sequence[tuple[str, list[bytes]]], making: Sequence[nft.Message]) -> Done:
        """Add keys to sets, in one batch with what makes those sets. Undoing takes out those nobody else wants."""
        places = [(name, key) for name, keys in keys_by_set for key in keys]
        additions = [nft.add_elements(name, keys, self._table) for name, keys in keys_by_set if keys]
        stamps = self._send([*making, *additions])
        token = object()
        for place in places:
            self._wanted.setdefault(place, set()).add(token)
        self._rules.update(name for name, _ in keys_by_set)
        return Done(*stamps, once(lambda: self._heal(places, token)))

    def _heal(self, places: Sequence[tuple[str, bytes]], token: object) -> Done:
        messages = []
        for name, key in places:
            wanting = self._wanted.get((name, key), set())
            if token in wanting:
                wanting.remove(token)
                if not wanting:
                    del self._wanted[name, key]
                    messages.append(nft.delete_elements(name, [key], self._table))
        return _final(self._send(messages))

    def _rule(self, name: str, action: list[nft.Expression]) -> list[nft.Message]:
        """What makes the set ``name`` and its rule, unless they are there already."""
        return [] if name in self._rules else self._new_rule(name, action)

    def _new_rule(self, name: str, action: list[nft.Expression]) -> list[nft.Message]:
        return [
            nft.new_set(name, 1, KEY_LENGTH, self._table),
            nft.new_rule(_FORWARD, name, match_flows(name) + action, self._table),
        ]

    def _remember(self, prefix: str) -> None:
        """Keep the counts of the rules so called, which are about to go."""
        counts = nft.dropped(self._netlink, self._table).items()
        self._past.update({name: count for name, count in counts if name.startswith(prefix)})

    def _send(self, messages: Sequence[nft.Message]) -> Stamps:
        try:
            return self._netlink.send(nft.batch(messages))
        except NetlinkRefusal as refusal:
            raise nft.missing(refusal, "this packet fault", _MODULES) from refusal


def keys(flow: Flow, to_client: bool, to_server: bool) -> list[bytes]:
    """The keys of the flow's packets in the given directions. (One key does for both if its ports are equal.)"""
    if flow.ipv not in _NFPROTO:
        raise LabError(f"IP version {flow.ipv} cannot be had; 4 and 6 can")
    # `meta nfproto` fills its register's other three bytes with zeros.
    version = bytes([_NFPROTO[flow.ipv], 0, 0, 0])
    client, server = flow.client_port.to_bytes(2, "big"), flow.server_port.to_bytes(2, "big")
    chosen = ((to_client, version + server + client), (to_server, version + client + server))
    return list(dict.fromkeys(key for wanted, key in chosen if wanted))


def match_flows(name: str) -> list[nft.Expression]:
    """Packets whose key is in the set ``name``."""
    return [
        *nft.match_tcp(),
        nft.load_meta("NFPROTO"),
        nft.load_payload(nft.TRANSPORT_HEADER, 0, 4, nft.REGISTER_2),
        nft.lookup(name),
    ]


def once(act: Callable[[], Done]) -> Callable[[], Done]:
    """``act`` on the first call; its result again on all others."""
    results: list[Done] = []

    def once() -> Done:
        if not results:
            results.append(act())
        return results[0]

    return once


def _final(stamps: Stamps) -> Done:
    """A Done whose undoing does nothing."""
    done: Done = Done(*stamps, lambda: done)
    return done
