#!/usr/bin/env bash
# Proves the offline bundle: in a minimal Debian with a compiler and Python and nothing else, and
# without a network, the Kaggle notebook builds soma by install.sh, trains and leaves a
# submission. Usage: offline.sh [BUNDLE]; made anew unless told. As root; the root file system is
# made once, with a network (SOMA_ROOTS, as debian_root.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
root=${SOMA_ROOTS:-/var/tmp/soma-roots}/offline
mkdir -p "$root"
bundle=${1:-}
if [ -z "$bundle" ]; then
  tools/bundle.sh | tee "$root.log"
  bundle=$(sed 's/: .*//' "$root.log")
fi

if ! [ -e "$root/made" ]; then
  debootstrap --variant=minbase --include=g++,python3 bookworm "$root" > "$root.log" 2>&1 \
    < /dev/null || { tail -n 20 "$root.log"; exit 1; }
  touch "$root/made"
fi
rm -rf "$root/kaggle" "$root/home/offline" "$root/tmp/soma"
mkdir -p "$root/kaggle/input/soma-offline" "$root/kaggle/working" "$root/home/offline"
tar -xzf "$bundle" -C "$root/kaggle/input/soma-offline"
chmod -R a-x,a+rX "$root/kaggle/input"  # as Kaggle's data sets come

for system in proc sys; do
  mountpoint -q "$root/$system" || mount -t "${system/%sys/sysfs}" "$system" "$root/$system"
done
trap 'umount "$root/proc" "$root/sys"' EXIT
for device in null:3 zero:5 random:8 urandom:9; do
  [ -e "$root/dev/${device%:*}" ] || mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done

in_root() {  # without a network
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/offline LANG=C.UTF-8 SOMA_MINUTES=0.2 \
    unshare --net chroot "$root" "$@" < /dev/null
}
for tool in meson ninja pkg-config pip3 cmake curl; do
  if in_root sh -c "command -v $tool" > /dev/null; then echo "offline: $tool is there"; exit 1; fi
done
if in_root python3 -c 'import socket; socket.create_connection(("1.1.1.1", 53), 5)' 2> /dev/null
then echo "offline: there is a network"; exit 1; fi

cp "$root"/kaggle/input/soma-offline/*/bin/soma "$root/home/offline/soma"
chmod +x "$root/home/offline/soma"
in_root /home/offline/soma synth /kaggle/input/sartorius-cell-instance-segmentation \
  --images 8 --size 256x192 --quiet
in_root bash -c 'cd /kaggle/working && source=$(echo /kaggle/input/soma-offline/*/source) &&
  python3 "$source/tools/run_notebook.py" "$source/examples/kaggle/soma.ipynb"' | tee "$root.log"
grep -q "^install: built" "$root.log" || { echo "offline: soma was not built here"; exit 1; }
lines=$(wc -l < "$root/kaggle/working/submission.csv")
[ "$lines" -ge 3 ] || { echo "offline: the submission has $lines lines"; exit 1; }
echo "offline: built, trained and left a submission of $lines lines"
