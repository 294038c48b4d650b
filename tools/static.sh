#!/usr/bin/env bash
# Builds the one-file program (-Dstatic=true) and proves it in an empty root: nothing but the file,
# a folder and the kernel; it draws data, trains, predicts and scores there, checks itself, and
# carries a model that its copy finds cells with. As root (chroot).
# Usage: static.sh [BUILD DIR]; the program is in BUILD DIR/soma (build-static unless told).
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build-static}
most_bytes=15000000

tools/build.sh "$build" -Dstatic=true -Dtests=false
if readelf --program-headers "$build/soma" | grep -q INTERP; then
  echo "$build/soma asks for a loader: it is not static"
  exit 1
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
strip -o "$root/soma" "$build/soma"
bytes=$(stat -c %s "$root/soma")
[ "$bytes" -le "$most_bytes" ] || { echo "$bytes bytes, expected at most $most_bytes"; exit 1; }

chroot=$(PATH=$PATH:/usr/sbin command -v chroot)
in_root() { env -i "$chroot" "$root" /soma "$@" < /dev/null; }
in_root synth /data --images 4 --size 96x96 --quiet
in_root train --data /data --out /run model.preset=cells train.iterations=2 train.batch=1 --quiet
in_root predict --model /run --images /data/test --out /found --format submission,labels --quiet
in_root eval --data /data/test.csv --images /data/test --predictions /found/submission.csv --quiet
in_root selftest --quiet
in_root pack /run /cells --quiet
mkdir "$root/alone"
mv "$root/cells" "$root/data" "$root/alone"
env -i "$chroot" "$root/alone" /cells predict --images /data/test --out /found --quiet < /dev/null
cmp "$root/found/submission.csv" "$root/alone/found/submission.csv"
echo "static: $bytes bytes, $(in_root info | grep "^isa")"
