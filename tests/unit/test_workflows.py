"""The workflows, read by actionlint, and the few things that it does not look for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
ACTIONLINT = Path(sys.executable).parent / "actionlint"


def lint(*files):
    return subprocess.run(
        [ACTIONLINT, "-no-color", "-oneline", *files], capture_output=True, text=True, timeout=60, check=False
    )


def test_actionlint_has_nothing_to_say():
    done = lint(*WORKFLOWS)
    assert (done.returncode, done.stdout) == (0, "")


def test_actionlint_would_have_something_to_say(tmp_path):
    broken = tmp_path / "broken.yml"
    broken.write_text((FOLDER / "nightly.yml").read_text().replace("matrix.image", "matrix.imagine"))
    done = lint(broken)
    assert done.returncode == 1 and "imagine" in done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_the_least_and_every_action_has_a_version(path):
    text = path.read_text()
    assert re.search(r"^permissions:\n  contents: read\n\n", text, re.MULTILINE)
    assert text.count("permissions:") == 1
    assert "timeout-minutes:" in text
    used = re.findall(r"uses: (\S+)", text)
    assert used and all(re.fullmatch(r"actions/[a-z/-]+@v[0-9.]+", action) for action in used)
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_a_bad_night_is_never_saved():
    steps = (FOLDER / "nightly.yml").read_text().split("\n      - ")
    asked = next(step for step in steps if "id: night" in step)
    assert '"good": true' in asked and "night.json" in asked
    for word in ("cache/save", "invoke prune"):
        (saving,) = (step for step in steps if word in step)
        assert "steps.night.outputs.good == 'true'" in saving
    assert "continue-on-error" not in "".join(steps)
