#!/usr/bin/env bash
# Installs what is missing, builds in build/ and runs every test that needs no GPU.
# Usage: test.sh [--build DIR] [--suite NAME] [MESON OPTION...]; options apply to a build folder that
# is new; with --suite only what the suite's tests need is built, by the target NAME_tests.
# The last line is `N passed, N failed`; the exit code is not 0 when something failed.
# SOMA_SHARED_DATA=DIR lets the tests that want real microscopy data find it.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build suite=()
if [ "${1:-}" = --build ]; then build=$2; shift 2; fi
if [ "${1:-}" = --suite ]; then suite=(--suite "$2"); export TARGETS=${2}_tests; shift 2; fi

tools/setup.sh
tools/build.sh "$build" "$@" || { echo "0 passed, 1 failed"; exit 1; }
log=$build/meson-logs/testlog.json
rm -f "$log"
meson test -C "$build" --no-rebuild ${suite[@]+"${suite[@]}"} > "$build/test.log" 2>&1 \
  < /dev/null || true
if ! [ -s "$log" ]; then
  cat "$build/test.log"
  echo "0 passed, 1 failed"
  exit 1
fi
python3 tools/count_tests.py "$log"
