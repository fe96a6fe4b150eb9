#!/bin/sh
# A namespace host from its birth to sshd: `host_init.sh FOLDER READ_ONLY`, in mount, PID, UTS and network namespaces of
# its own. What a host may write lies on file systems of its own; everything else is the machine's, and read-only.
set -eu
folder=$1 read_only=$2 name=$(basename "$1")
hostname "$name" 2>/dev/null || echo "$name" >/proc/sys/kernel/hostname
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd /run/home/root /run/home/alice
cp -a "$folder" /run/host
chown -R root:root /run/host
chown 1000:1000 /run/home/alice
cp "$(command -v setpriv)" /run/host/bin/raise
chmod 4755 /run/host/bin/raise
chmod 755 /run/host /run/host/bin
for file in passwd group shadow; do mount --bind "/run/host/$file" "/etc/$file"; done
own="/tmp /var/tmp /dev/shm"
for place in $own; do mount -t tmpfs -o mode=1777 tmpfs "$place"; done
mount -t sysfs sysfs /sys
mount -o remount,bind,ro /
if [ "$read_only" = 1 ]; then
    for place in $own /run; do mount -o remount,ro "$place"; done
fi
exec /usr/sbin/sshd -D -e -f /run/host/sshd_config
