#!/bin/sh
# A namespace host from its birth to sshd: `host_init.sh FOLDER READ_ONLY`, in mount, PID, UTS and network namespaces of
# its own.
set -eu
here=$(dirname "$0") folder=$1 read_only=$2
echo "${folder##*/}" >/proc/sys/kernel/hostname
mount --make-rprivate /
. "$here/own_files.sh"
mount -t sysfs sysfs /sys
mount -o remount,bind,ro /
close_files
exec /usr/sbin/sshd -D -e -f /run/host/sshd_config
