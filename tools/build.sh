#!/usr/bin/env bash
# Builds soma: build.sh [DIR [MESON OPTION...]], DIR is build unless told; a new folder is set up
# first (release). Quiet unless something fails. TARGETS="NAME..." builds only these.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
[ $# -eq 0 ] || shift
if ! [ -f "$build/build.ninja" ]; then
  rm -rf "$build"
  meson setup "$build" "$@" > "$build.log" 2>&1 < /dev/null ||
    { cat "$build.log"; echo "build: meson setup failed"; exit 1; }
  mv "$build.log" "$build/setup.log"
fi
ninja -C "$build" ${TARGETS:-} > "$build/build.log" 2>&1 < /dev/null || {
  grep -E -A12 'FAILED|error' "$build/build.log" | head -150
  echo "build: failed, all of it is in $build/build.log"
  exit 1
}
