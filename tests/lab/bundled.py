"""A host's agent as it really runs, ``python3 -I -S``, driven over its pipes without a loop."""

import select
import subprocess
import sys
import tempfile

from harness.endpoints import bundle, wire

WITHIN_S = 5.0


class Bundled:
    """``ask`` waits for its answer and keeps the events that come before it; ``event`` waits for one of those."""

    def __init__(self, *wrapper):
        """``wrapper``: a command that runs the command that follows it."""
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, *bundle.COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tempfile.gettempdir(),
            env={},
            bufsize=0,
        )
        self.process.stdin.write(bundle.source())
        self._lines, self._read = wire.Lines(), []
        self.events = []
        self._question = 0
        self.ready = self.event("ready")

    def send(self, do, to="agent", **arguments):
        self._question += 1
        self.process.stdin.write(wire.pack({"id": self._question, "to": to, "do": do, **arguments}))
        return self._question

    def answer(self, question):
        return self._wait(lambda message: message.get("id") == question)

    def ask(self, do, to="agent", **arguments):
        """Return what was answered; raises AssertionError where that is an error."""
        answer = self.answer(self.send(do, to, **arguments))
        assert "ok" in answer, answer
        return answer["ok"]

    def refused(self, do, to="agent", **arguments):
        answer = self.answer(self.send(do, to, **arguments))
        assert "ok" not in answer, answer
        return answer

    def event(self, name, **fields):
        wanted = {"event": name, **fields}
        return self._wait(lambda message: wanted.items() <= message.items())

    def fork(self, name):
        """Start an endpoint and return its pid."""
        pid = self.ask("fork", name=name)["pid"]
        self.event("ready", **{"from": name})
        return pid

    def _wait(self, wanted):
        while True:
            for index, message in enumerate(self._read):
                if wanted(message):
                    return self._read.pop(index)
            self._more()

    def _more(self):
        assert select.select([self.process.stdout], [], [], WITHIN_S)[0], "nothing came"
        data = self.process.stdout.read(65536)
        assert data, "the agent has ended: " + self.process.stderr.read().decode()
        self._read += [wire.unpack(line) for line in self._lines.feed(data)]

    def end(self):
        """End its input, wait for its end, and return its exit code and what it complained of."""
        self.process.stdin.close()
        try:
            code = self.process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        complaint = self.process.stderr.read().decode()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, complaint


class Open:
    """A connection over loopback between the endpoints ``here`` and ``there`` of a bundled agent."""

    count = 0

    def __init__(self, agent, here="a", there="b", host="127.0.0.1", asked=None, small=False):
        Open.count += 1
        self.agent, self.here, self.there, self.conn = agent, here, there, f"c{Open.count}"
        self.server_port = agent.ask("listen", there, conn=self.conn, host=host, small=small)["port"]
        self.client_port = agent.ask("bind", here, conn=self.conn, host=host)["port"]
        self.began = agent.ask("connect", here, conn=self.conn, host=host, port=self.server_port, asked=asked)
        self.accepted = agent.event("accepted", conn=self.conn)

    def ask(self, do, to=None, **arguments):
        return self.agent.ask(do, to or self.here, conn=self.conn, **arguments)

    def event(self, name, at=None):
        return self.agent.event(name, conn=self.conn, **{"from": at or self.here})
