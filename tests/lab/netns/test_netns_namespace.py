"""One namespace: what runs in it, its sysctls, and its sockets with their timers."""

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from lab_connections import connected, eventually

from netns.errors import LabError
from netns.lab import Lab
from netns.namespace import Namespace


def _here() -> str:
    return str(Path("/proc/thread-self/ns/net").readlink())


@pytest.mark.inside
def test_call_runs_inside_and_the_caller_stays_outside() -> None:
    before = _here()
    namespace = Namespace("somewhere")
    assert namespace.call(_here) != before
    assert namespace.call(namespace.call, _here) == namespace.call(_here)
    assert _here() == before
    assert os.fstat(namespace.fd).st_ino == int(namespace.call(_here).split("[")[1].rstrip("]"))
    with pytest.raises(ZeroDivisionError):
        namespace.call(lambda: 1 / 0)
    namespace.close()
    namespace.close()


@pytest.mark.inside
def test_spawn_runs_inside_and_apart(user: str) -> None:
    namespace = Namespace("somewhere")
    script = "readlink /proc/self/ns/net; readlink /proc/self/ns/pid; echo $$"
    process = namespace.spawn(["sh", "-c", script], stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate()
    net, pid_namespace, pid = output.split()
    assert net == namespace.call(_here)
    assert pid_namespace != str(Path("/proc/self/ns/pid").readlink())
    assert int(pid) < 100 < process.pid
    assert process.returncode == 0
    namespace.close()


@pytest.mark.inside
def test_sysctls_belong_to_the_namespace(user: str) -> None:
    one, other = Namespace("one"), Namespace("other")
    before = other.get_sysctl("net.ipv4.tcp_retries2")
    one.set_sysctl("net.ipv4.tcp_retries2", int(before) + 1)
    assert one.get_sysctl("net.ipv4.tcp_retries2") == str(int(before) + 1)
    assert other.get_sysctl("net.ipv4.tcp_retries2") == before
    with pytest.raises(LabError, match="tcp_no_such"):
        one.set_sysctl("net.ipv4.tcp_no_such", 1)
    with pytest.raises(LabError, match=r"begin with net\."):
        one.set_sysctl("kernel.hostname", 1)
    one.close()
    other.close()


@pytest.mark.parametrize("ipv", [4, 6])
@pytest.mark.inside
def test_sockets_show_state_timer_and_queues(ipv: int) -> None:
    with Lab() as lab, connected(lab, ipv) as connection:
        client_port = connection.flow.client_port

        def client_socket() -> object:
            (found,) = lab.client.sockets({client_port})
            return found

        idle = client_socket()
        assert (idle.family, idle.state, idle.timer) == (ipv, "ESTABLISHED", "none")
        assert (idle.local, idle.local_port) == connection.client.getsockname()[:2]
        assert (idle.remote, idle.remote_port) == connection.client.getpeername()[:2]
        assert idle.inode == os.fstat(connection.client.fileno()).st_ino

        connection.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 100)
        connection.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        armed = client_socket()
        assert armed.timer == "keepalive"
        assert 90 < armed.timer_expires_s <= 103
        assert armed.cookie == idle.cookie

        lab.filter.cut(connection.flow)
        connection.client.sendall(b"12345")
        assert client_socket().timer == "retransmit"
        assert client_socket().wqueue == 5
        assert eventually(lambda: client_socket().retransmits >= 1)
        states = {found.state for found in lab.server.sockets({7000})}
        assert states == {"ESTABLISHED", "LISTEN"}
        assert lab.server.sockets({7001}) == []
        assert len(lab.server.sockets()) == 2


@pytest.mark.inside
def test_a_socket_that_belongs_to_no_process_has_no_inode() -> None:
    with Lab() as lab, connected(lab, 4) as connection:
        lab.filter.cut(connection.flow)
        connection.client.close()
        (orphan,) = lab.client.sockets({connection.flow.client_port})
        assert (orphan.state, orphan.inode) == ("FIN_WAIT1", 0)


@pytest.mark.inside
def test_sockets_may_be_listed_from_several_threads() -> None:
    with Lab() as lab, connected(lab, 4):
        wrong: list[int] = []

        def look() -> None:
            wrong.extend(len(found) for _ in range(50) if len(found := lab.server.sockets()) != 2)

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
