"""What is no experiment on one connection: the machine, the checks, the pool, the programs for two terminals."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.commands.ends import code_of
from harness.spec.options import RUN, Option, parse


def doctor(json: bool) -> int:
    """Examine this machine; return 0, or 4 where it cannot run the lab."""

    def action() -> int:
        from harness.doctor import examine
        from harness.report.doctor import json_lines, write_table

        found = examine()
        if json:
            sys.stdout.write(json_lines(found))
        else:
            write_table(found, out=sys.stdout)
        return 4 if any(each.required and not each.present for each in found) else 0

    return code_of(action)


def options_of_stale_pool() -> tuple[Option, ...]:
    from harness.pool.options import OPTIONS

    return OPTIONS


def stale_pool(typed: Mapping[str, Any], results: Path) -> int:
    """Run the pool's strategies against a server that closes idle connections; return the exit code."""

    def action() -> int:
        from harness.pool.options import asked as asked_of_pool

        wanted = asked_of_pool(typed)
        from harness.pool.run import run
        from harness.runner import Wanted

        where = parse(RUN, typed)["results"] or results
        return run(wanted, Wanted(results=where, json=typed["json"], pcap=typed["pcap"]))

    return code_of(action)


def options_of_detectors() -> tuple[Option, ...]:
    from harness.detectors.options import OPTIONS

    return OPTIONS


def detectors(typed: Mapping[str, Any], results: Path) -> int:
    """Ask every check in every state; return the exit code."""

    def action() -> int:
        from harness.detectors.options import OPTIONS

        values = parse(OPTIONS, typed)
        from harness.detectors.run import run
        from harness.runner import Wanted

        where = values["results"] or results
        return run(values["ipv"], Wanted(results=where, json=values["json"], pcap=values["pcap"]), values["page"])

    return code_of(action)


def options_of_program(name: str) -> tuple[Option, ...]:
    from harness.programs import options

    return {"server": options.SERVER, "client": options.CLIENT}[name]


def program(name: str, typed: Mapping[str, Any]) -> int:
    """Be the server or the client; return 0 when it has ended, however its connections did."""

    def action() -> int:
        values = parse(options_of_program(name), typed)
        if name == "server":
            from harness.programs.server import serve

            serve(**values)
        else:
            from harness.programs.client import talk

            talk(**values)
        return 0

    return code_of(action)
