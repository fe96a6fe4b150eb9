import pytest

from harness.errors import Refused
from harness.spec.hosts import read_hosts

CLIENT = '[client]\nhost = "alice@client.example:2222"\naddress = "198.18.1.2"\n'
SERVER = '[server]\nhost = "server"\naddress = ["198.18.2.2", "2001:DB8::2"]\n'


def read(tmp_path, text):
    file = tmp_path / "hosts.toml"
    file.write_text(text)
    return read_hosts(file)


def refusal(tmp_path, text):
    with pytest.raises(Refused) as refused:
        read(tmp_path, text)
    line = str(refused.value)
    assert line.startswith(str(tmp_path / "hosts.toml")) and "\n" not in line
    return line.removeprefix(str(tmp_path / "hosts.toml: "))


def test_a_whole_file(tmp_path):
    (tmp_path / "config").write_text("Host server\n")
    hosts = read(
        tmp_path,
        f'ssh_config = "config"\n{CLIENT}become = "sudo -n"\npower_off = "virsh destroy c"\n'
        f'power_on = "virsh start c"\n'
        f'{SERVER}[router]\nhost = "root@[2001:db8::9]:2200"\n',
    )
    client, server, router = hosts.all
    assert (client.name_typed, client.user, client.name, client.port) == (
        "alice@client.example:2222",
        "alice",
        "client.example",
        2222,
    )
    assert (client.side, client.addresses, client.become) == ("client", ("198.18.1.2",), "sudo -n")
    assert (client.power_off, client.power_on) == ("virsh destroy c", "virsh start c")
    assert (server.user, server.port, server.become, server.power_off) == (None, None, "", None)
    assert server.addresses == ("198.18.2.2", "2001:db8::2")
    assert (router.user, router.name, router.port, router.addresses) == ("root", "2001:db8::9", 2200, ())
    assert hosts.ssh_config == tmp_path / "config"


def test_two_tables_are_enough(tmp_path):
    hosts = read(tmp_path, '[client]\nhost = "a"\ndevice = "eth1"\n[server]\nhost = "b"\ndevice = "eth1"\n')
    assert hosts.router is None and hosts.ssh_config is None and hosts.client.device == "eth1"


def test_a_bare_ipv6_address_is_a_name_without_port(tmp_path):
    hosts = read(tmp_path, CLIENT + '[server]\nhost = "bob@2001:db8::7"\ndevice = "eth1"\n')
    assert (hosts.server.user, hosts.server.name, hosts.server.port) == ("bob", "2001:db8::7", None)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[client\n", "is no TOML: "),
        (CLIENT, "the table [server] is missing; [client] and [server] are needed"),
        (CLIENT + SERVER + "[peer]\n", "'peer' is unknown; allowed: ssh_config, client, server, router"),
        (CLIENT + "colour = 1\n" + SERVER, "[client]: 'colour' is unknown; allowed: host, address, device, become"),
        ('client = "a"\n' + SERVER, "client must be a table"),
        ('[client]\naddress = "198.18.1.2"\n' + SERVER, "[client]: host is missing: [user@]name[:port]"),
        (CLIENT + '[server]\nhost = "b"\n', "[server]: address or device is missing"),
        (CLIENT + 'device = "eth1"\n' + SERVER, "[client]: address and device are both given"),
        (CLIENT + '[server]\nhost = "b"\ndevice = "a/b"\n', "[server]: device: 'a/b' is no name of a device"),
        (CLIENT + '[server]\nhost = "b"\naddress = "b.example"\n', "[server]: address: 'b.example' is neither IPv4"),
        (CLIENT + '[server]\nhost = "b"\naddress = "198.18.2.2/24"\n', "[server]: address: '198.18.2.2/24' is neither"),
        (CLIENT + '[server]\nhost = "b"\naddress = "fe80::1%eth0"\n', "[server]: address: 'fe80::1%eth0' is neither"),
        (CLIENT + '[server]\nhost = "b"\naddress = 7\n', "[server]: address: 7 is refused; an address or a list"),
        (CLIENT + '[server]\nhost = "b"\naddress = []\n', "[server]: address: [] is refused"),
        (CLIENT + '[server]\nhost = "b"\naddress = "0.0.0.0"\n', "[server]: address: '0.0.0.0' is no address of one"),
        (
            CLIENT + '[server]\nhost = "b"\naddress = ["198.18.2.2", "198.18.2.3"]\n',
            "[server]: address: '198.18.2.3' is the second of IPv4",
        ),
        (CLIENT + '[server]\nhost = "b:0"\ndevice = "e"\n', "[server]: host: 'b:0': the port '0' is refused; 1 to"),
        (CLIENT + '[server]\nhost = "b:ssh"\ndevice = "e"\n', "[server]: host: 'b:ssh': the port 'ssh' is refused"),
        (CLIENT + '[server]\nhost = "a b"\ndevice = "e"\n', "[server]: host: 'a b' is refused; [user@]name[:port]"),
        (CLIENT + '[server]\nhost = "-oProxyCommand"\ndevice = "e"\n', "[server]: host: '-oProxyCommand' is refused"),
        (CLIENT + '[server]\nhost = "@b"\ndevice = "e"\n', "[server]: host: '@b' is refused"),
        (CLIENT + '[server]\nhost = "[b]:22"\ndevice = "e"\n', "[server]: host: '[b]:22': only an IPv6 address"),
        (CLIENT + '[server]\nhost = 5\ndevice = "e"\n', "[server]: host: 5 is refused; one line of text in quotes"),
        (CLIENT + 'become = ""\n' + SERVER, "[client]: become: '' is refused; one line of text"),
        (CLIENT + 'become = "a\\nb"\n' + SERVER, "[client]: become: 'a\\nb' is refused"),
        (
            CLIENT + '[server]\nhost = "Client.example:2222"\ndevice = "e"\n',
            "[client] and [server] are the same host, Client.example:2222",
        ),
        (CLIENT + '[server]\nhost = "b"\naddress = "198.18.1.2"\n', "[client] and [server] have the same address"),
        ('ssh_config = "none"\n' + CLIENT + SERVER, "ssh_config: there is no file "),
        ("ssh_config = 3\n" + CLIENT + SERVER, "ssh_config: 3 is refused"),
    ],
)
def test_every_mistake_is_one_line(tmp_path, text, line):
    assert refusal(tmp_path, text).startswith(line)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(Refused, match=r"none\.toml: cannot be read: No such file or directory"):
        read_hosts(tmp_path / "none.toml")
    with pytest.raises(Refused, match="cannot be read: Is a directory"):
        read_hosts(tmp_path)


def test_a_file_that_is_no_text(tmp_path):
    file = tmp_path / "hosts.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Refused, match="is not UTF-8 text"):
        read_hosts(file)
