"""The cheap checks before use: does this idle connection still look open? None of them sends or waits.

Each returns True for "closed: do not use it". They do what the programs that use them do, their blind spots included.
A real recvfrom(2) of zero bytes says EAGAIN on a quiet healthy connection and 0 after FIN (net/ipv4/tcp.c,
tcp_recvmsg_locked); read(2) of zero bytes says 0 in every state (net/socket.c, sock_read_iter), and Python's own
``recv(0)`` makes no system call at all: hence ``recvmsg`` here.
"""

from __future__ import annotations

import os
import select
import socket

_ESTABLISHED = 1  # include/net/tcp_states.h
_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


def _read(sock: socket.socket) -> bool:
    """``readClosed``: one byte, without waiting. It eats that byte where there is one."""
    return _nothing_left(sock, socket.MSG_DONTWAIT)


def _peek(sock: socket.socket) -> bool:
    return _nothing_left(sock, socket.MSG_DONTWAIT | socket.MSG_PEEK)


def _nothing_left(sock: socket.socket, flags: int) -> bool:
    try:
        return not sock.recv(1, flags)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _poll(sock: socket.socket) -> bool:
    asking = select.poll()
    asking.register(sock, select.POLLRDHUP)
    return any(event & _GONE for _, event in asking.poll(0))


def _so_error(sock: socket.socket) -> bool:
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def _tcp_info(sock: socket.socket) -> bool:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED


def _zero_recv(sock: socket.socket) -> bool:
    """``CheckFdCloseWait``: closed where recvfrom(2) of zero bytes returns 0. An error is no "closed" to it."""
    try:
        sock.recvmsg(0, 0, socket.MSG_DONTWAIT)
    except OSError:
        return False
    return True


def _zero_read(sock: socket.socket) -> bool:
    """``read(fd, buf, 0) == 0``, taken for the end of the stream."""
    return os.read(sock.fileno(), 0) == b""


CHECKS = {
    "read": _read,
    "peek": _peek,
    "poll": _poll,
    "so-error": _so_error,
    "tcp-info": _tcp_info,
    "zero-recv": _zero_recv,
    "zero-read": _zero_read,
}
