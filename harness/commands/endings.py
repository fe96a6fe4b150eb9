"""The endings: a command per way in which a connection ends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.commands.ends import code_of
from harness.endings.base import Script
from harness.spec.options import RUN, TRIAL, Option, parse


def options_of(script: type[Script]) -> tuple[Option, ...]:
    """Return every option of an ending's command, its own first."""
    return (*script.options, *(option for option in TRIAL if option.name == "ipv"), *RUN)


def ending(script: type[Script], typed: Mapping[str, Any], results: Path) -> int:
    """Run an ending; return its exit code."""

    def action() -> int:
        asked_for, general = script(**parse(script.options, typed)), parse(options_of(script), typed)
        from harness.endings.run import run
        from harness.runner import Wanted

        where = general["results"] or results
        wanted = Wanted(results=where, json=general["json"], pcap=general["pcap"])
        return run(asked_for, general["ipv"], general["repeat"], wanted)

    return code_of(action)
