#!/usr/bin/env bash
# Builds soma on this machine without a network, checks it, and installs it. Needs g++ 11 or later
# and Python 3.8 or later; uses nvcc where it and a card are. Minutes on two cores.
# Usage: bash install.sh [PREFIX]; the program is PREFIX/bin/soma (~/.local unless told).
set -euo pipefail
SECONDS=0
here=$(cd "$(dirname "$0")" && pwd)
prefix=${1:-$HOME/.local}
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
work=${SOMA_BUILD_DIR:-$prefix/share/soma-build}

for tool in g++ python3; do
  command -v $tool > /dev/null || {
    echo "install: no $tool here; bin/soma in this folder works without being built" >&2
    exit 1
  }
done
echo "install: building in $work"
rm -rf "$work"
mkdir -p "$work/tools"
for wheel in "$here"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$work/tools"; done
chmod +x "$work/tools/ninja/data/bin/ninja" "$work/tools/pkgconf/.bin/pkgconf"
export PYTHONPATH=$work/tools${PYTHONPATH:+:$PYTHONPATH}
export NINJA=$work/tools/ninja/data/bin/ninja PKG_CONFIG=$work/tools/pkgconf/.bin/pkgconf
export PKG_CONFIG_LIBDIR=$here/deps/pkgconfig PKG_CONFIG_PATH=
meson() { python3 -m mesonbuild.mesonmain "$@"; }

quietly() {  # a command whose output is of interest only when it fails
  "$@" > "$work/log" 2>&1 < /dev/null || { tail -n 60 "$work/log"; echo "install: failed: $*"; exit 1; }
}
# No shared library: the distribution's archives are not made for one.
quietly meson setup "$work/build" "$here/source" --prefix="$prefix" --libdir=lib -Dtests=false \
  -Dshared=false -Dcpp_args="-isystem$here/deps/include"
quietly meson compile -C "$work/build"

# The kernels on this CPU, then the main job once on drawn cells.
soma=$work/build/soma
quietly "$soma" selftest
grep -E 'passed|not tried' "$work/log"
quietly "$soma" synth "$work/data" --images 4 --size 128x128
quietly "$soma" train --data "$work/data" --out "$work/run" model.preset=cells train.iterations=2 \
  train.batch=1
quietly "$soma" predict --model "$work/run" --images "$work/data/test" --out "$work/found"
quietly "$soma" eval --data "$work/data/test.csv" --images "$work/data/test" \
  --predictions "$work/found/coco.json"
quietly meson install -C "$work/build" --no-rebuild
rm -rf "$work/data" "$work/run" "$work/found"
echo "install: built, checked and installed as $prefix/bin/soma in $SECONDS s"
