"""Hosts over SSH: from a line of hosts.toml to an agent that answers.

``config``      what ssh_config says of a host.
``known``       host keys against known_hosts: what is unknown or changed stops.
``prompts``     passphrases and passwords, asked on the terminal where there is one.
``keys``        proving who we are: the SSH agent's keys, key files, certificates.
``reach``       the byte stream to the host: TCP, a jump host, a proxy command.
``login``       handshake, host key, authentication.
``command``     the command that becomes the agent, and why it did not.
``bridge``      an SSH channel as two descriptors.
``connection``  all of it for one host, without blocking the event loop.
"""

from harness.labs.ssh.connection import Connection, connect, connect_all

__all__ = ["Connection", "connect", "connect_all"]
