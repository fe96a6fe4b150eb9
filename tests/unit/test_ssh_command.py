import pytest

from harness.labs.ssh.command import Ended, agent_command, no_agent


def test_the_command_is_one_line_that_any_shell_takes():
    command = agent_command("")
    assert command.startswith("python3 -I -S -u -c 'import sys;") and command.endswith(")'")
    assert not set("\n\\!") & set(command) and command.count("'") == 2
    assert agent_command("sudo -n").startswith("sudo -n python3 -I")


NO_PYTHON = "it has no python3 in its PATH; Python 3.8 or later is needed there, and nothing else"
NO_ROOT = "it does not let its user become root by 'sudo -n': "


@pytest.mark.parametrize(
    ("status", "words", "become", "lacks", "line"),
    [
        (127, "sh: 1: python3: not found", "", "Python", NO_PYTHON),
        (127, "bash: line 1: python3: command not found", "", "Python", NO_PYTHON),
        (1, "sudo: python3: command not found", "sudo -n", "Python", NO_PYTHON),
        (127, "fish: Unknown command: python3", "", "Python", NO_PYTHON),
        (127, "env: ‘python3’: No such file or directory", "sudo -n", "Python", NO_PYTHON),
        (127, "", "", "Python", NO_PYTHON),
        (
            1,
            "halfopen: it has Python 3.6; Python 3.8 or later is needed",
            "",
            "Python",
            "it has Python 3.6; Python 3.8 or later is needed",
        ),
        (
            1,
            "ModuleNotFoundError: No module named 'json'",
            "sudo -n",
            "Python",
            "its python3 is not whole (ModuleNotFoundError: No module named 'json'); install python3, "
            "not python3-minimal",
        ),
        (
            1,
            "sudo: a password is required",
            "sudo -n",
            "privilege",
            NO_ROOT + "sudo: a password is required (exit status 1); let it do so without a password",
        ),
        (
            127,
            "sh: 1: sudo: not found",
            "sudo -n",
            "privilege",
            NO_ROOT + "sh: 1: sudo: not found (exit status 127); let it do so without a password",
        ),
        (
            1,
            "OSError: [Errno 28] No space left on device",
            "sudo -n",
            "Python",
            "the agent did not start: OSError: [Errno 28] No space left on device (exit status 1)",
        ),
        (-1, "", "", "Python", "the agent did not start: killed, without a word"),
        (
            1,
            "This account is currently not available.",
            "",
            "Python",
            "the agent did not start: This account is currently not available. (exit status 1)",
        ),
    ],
)
def test_why_no_agent_runs(status, words, become, lacks, line):
    error = no_agent("alice@web", Ended(status, words), become)
    assert (str(error), error.lacks, error.exit_code) == (f"alice@web: {line}", lacks, 4)
