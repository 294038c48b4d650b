#!/usr/bin/env bash
# Runs a command on the tracked files of this tree in a minimal Debian of its own (debootstrap),
# as on a fresh machine. Usage: debian_root.sh bookworm|trixie COMMAND...; as root.
# SOMA_ROOTS names the folder of the roots (/var/tmp/soma-roots); a root is made once and kept.
set -euo pipefail
cd "$(dirname "$0")/.."
release=$1
shift
root=${SOMA_ROOTS:-/var/tmp/soma-roots}/$release

if ! [ -e "$root/made" ]; then
  mkdir -p "$root"
  debootstrap --variant=minbase "$release" "$root" > "$root.log" 2>&1 < /dev/null ||
    { tail -n 20 "$root.log"; exit 1; }
  touch "$root/made"
fi
cp /etc/resolv.conf "$root/etc/"
rm -rf "$root/soma"
mkdir "$root/soma"
git -c safe.directory='*' ls-files -z | tar --null -T - -cf - | tar -xf - -C "$root/soma"

for system in proc sys; do
  mountpoint -q "$root/$system" || mount -t "${system/%sys/sysfs}" "$system" "$root/$system"
done
trap 'umount "$root/proc" "$root/sys"' EXIT
[ -e "$root/dev/null" ] || mknod -m 666 "$root/dev/null" c 1 3
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
  chroot "$root" bash -c 'cd /soma && exec "$@"' bash "$@" < /dev/null
