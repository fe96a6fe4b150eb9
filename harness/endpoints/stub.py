"""What ``python3 -I -S -u -c`` is given: it reads one line, the program as JSON, and runs it. No file is made.

The line: [the module to run, {module: text}, the text of this file]. A module is compiled when it is first imported.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_PACKAGE = "harness.endpoints"


class Line:
    """An importer of what the line holds: importlib's finder and loader in one."""

    def __init__(self, main: str, texts: dict[str, str], stub: str) -> None:
        self.main, self.texts, self.stub = main, texts, stub

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> object:
        new: Any = type(sys.__spec__)  # importlib.machinery takes 10 ms to import
        if name in ("harness", _PACKAGE):
            return new(name, self, is_package=True)
        package, _, module = name.rpartition(".")
        return new(name, self) if package == _PACKAGE and module in self.texts else None

    def create_module(self, _spec: object) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        text = self.texts.get(module.__name__.rpartition(".")[2], "")
        exec(compile(text, "<halfopen " + module.__name__ + ">", "exec"), module.__dict__)


def _run() -> None:
    line = Line(*json.loads(sys.stdin.buffer.readline()))
    sys.meta_path.insert(0, line)  # type: ignore[arg-type]
    __import__(_PACKAGE + "." + line.main)
    sys.modules[_PACKAGE].__dict__["line"] = line  # a guard is run from it as well
    sys.modules[_PACKAGE + "." + line.main].__dict__["main"]()


if __name__ == "__main__":
    _run()
