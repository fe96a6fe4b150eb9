# Sourced by both inits: what a host may write lies on file systems of its own; the rest is the machine's, and read-only.
# $folder: what files.py wrote; $read_only: 1 where not even its own may be written.
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
close_files() {
    if [ "$read_only" = 1 ]; then
        for place in $own /run; do mount -o remount,ro "$place"; done
    fi
}
