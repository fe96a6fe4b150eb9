"""The machines of a hosts file: whether they can do all that an experiment will need."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.commands.ends import code_of
from harness.errors import Refused
from harness.spec.options import PLACE, RUN, Option, parse

OPTIONS: tuple[Option, ...] = (*PLACE, *(option for option in RUN if option.name == "json"))


def hosts(typed: Mapping[str, Any]) -> int:
    """Examine the hosts; return 0, or 4 where an experiment could not run on them."""

    def action() -> int:
        values = parse(OPTIONS, typed)
        if not values["hosts"]:
            raise Refused("--hosts: name the file that says which machines to examine (docs/hosts.md)")
        from harness.doctor.hosts import examine_hosts
        from harness.report.hosts import json_lines, write_table
        from harness.spec.hosts import read_hosts

        found = asyncio.run(examine_hosts(read_hosts(Path(values["hosts"]))))
        if values["json"]:
            sys.stdout.write(json_lines(found))
        else:
            write_table(found)
        return 4 if any(each.required and each.present is False for each in found) else 0

    return code_of(action)
