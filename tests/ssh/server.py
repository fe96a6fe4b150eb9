"""An SSH server in this process: paramiko's own, on loopback, for what needs no login shell and no agent."""

import contextlib
import io
import socket
import threading

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.ecdsakey import ECDSAKey
from paramiko.ed25519key import Ed25519Key
from paramiko.server import InteractiveQuery, ServerInterface
from paramiko.ssh_exception import SSHException
from paramiko.transport import Transport


def ed25519():
    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return Ed25519Key.from_private_key(io.StringIO(key.decode()))


ED, ECDSA = ed25519(), ECDSAKey.generate()


class Server(ServerInterface):
    """Lets in whoever shows one of ``keys`` (and then types ``code``), types ``password``, or, with ``open``, anybody.

    What is asked to be run is handed to ``run(channel)``, in a thread.
    """

    def __init__(self):
        self.host_keys = [ED]
        self.keys, self.password, self.code, self.open = [], None, None, False
        self.run = lambda channel: channel.send_exit_status(0)
        self.commands, self.shown, self.jumps = [], [], []
        self.most_attempts = 6
        self._transports, self._threads = [], []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._start(self._accept)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for transport in self._transports:
            transport.sock.close()
            transport.join(5)
            transport.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = Transport(sock)
            transport.daemon = True
            self._transports.append(transport)
            for key in self.host_keys:
                transport.add_server_key(key)
            try:
                transport.start_server(server=self, event=threading.Event())
            except SSHException:
                sock.close()

    # -- what the server is asked, by paramiko's thread --------------------------------------------------------------

    def get_allowed_auths(self, username):
        methods = {"publickey": True, "password": self.password, "keyboard-interactive": self.code}
        return ",".join(name for name, allowed in methods.items() if allowed)

    def check_auth_none(self, username):
        return AUTH_SUCCESSFUL if self.open else AUTH_FAILED

    def check_auth_publickey(self, username, key):
        self.shown.append(key)
        if len(self.shown) > self.most_attempts:
            self._transports[-1].sock.close()
        if key not in self.keys:
            return AUTH_FAILED
        return AUTH_PARTIALLY_SUCCESSFUL if self.code else AUTH_SUCCESSFUL

    def check_auth_password(self, username, password):
        return AUTH_SUCCESSFUL if password == self.password else AUTH_FAILED

    def check_auth_interactive(self, username, submethods):
        return InteractiveQuery("", "", ("Code: ", False))

    def check_auth_interactive_response(self, responses):
        return AUTH_SUCCESSFUL if list(responses) == [self.code] else AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        self.commands.append(command.decode())
        self._start(self._run, channel)
        return True

    def _run(self, channel):
        with contextlib.suppress(OSError, EOFError):  # the client has gone
            self.run(channel)
        with contextlib.suppress(OSError, EOFError):
            channel.close()

    def check_channel_direct_tcpip_request(self, chanid, origin, destination):
        self.jumps.append(destination)
        self._start(self._jump, self._transports[-1], destination)
        return OPEN_SUCCEEDED

    def _jump(self, transport, destination):
        channel = transport.accept(5)
        with socket.create_connection(destination) as sock:
            self._start(_copy, channel, sock)
            _copy(sock, channel)


def _copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        with contextlib.suppress(OSError, EOFError):
            end.shutdown(socket.SHUT_RDWR)
