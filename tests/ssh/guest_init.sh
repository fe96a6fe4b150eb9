#!/bin/sh
# A guest from its birth to sshd: the first process of a User-Mode Linux kernel whose root is the machine's, read-only.
# The kernel's command line gives $folder, $read_only, and $network: lines for `ip -batch`, `+` for a space, `%` for a
# new line.
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
here=$(dirname "$0")
mount -t proc proc /proc
mount -t sysfs sysfs /sys
echo "${folder##*/}" >/proc/sys/kernel/hostname
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
. "$here/own_files.sh"
# The kernel loads modules as it needs them, from where the package has them: modprobe looks below a lib/modules.
mkdir -p /run/host/modules/lib
ln -s /usr/lib/uml/modules /run/host/modules/lib/modules
printf '#!/bin/sh\nexec %s -d /run/host/modules "$@"\n' "$(command -v modprobe)" >/run/host/modules/modprobe
chmod 755 /run/host/modules/modprobe
echo /run/host/modules/modprobe >/proc/sys/kernel/modprobe
/run/host/modules/modprobe ipv6
echo "$network" | tr '+%' ' \n' | ip -batch -
echo 1 >/proc/sys/net/ipv4/tcp_no_metrics_save
close_files
exec /usr/sbin/sshd -D -e -f /run/host/sshd_config
