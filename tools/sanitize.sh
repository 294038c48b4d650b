#!/usr/bin/env bash
# Runs the tests under sanitizers in a build folder of their own.
# Usage: sanitize.sh address,undefined|thread [fast|emulator]; `fast` leaves out the suite `slow`;
# `emulator` runs the CUDA kernels' tests of the suite `emulator` alone.
# Ends with `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/.."
sanitizer=$1
build=build-${sanitizer%%,*}
but=(--no-suite tools)  # the checks of the source text see no sanitizer
[ "${2:-}" != fast ] || but+=(--no-suite slow)
options=()
if [ "${2:-}" = emulator ]; then
  build+=-emulator but=(--suite emulator) options=(-Dcuda=emulated)
  export TARGETS=tests/emulator_test
fi
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_init_order=1:allocator_may_return_null=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:allocator_may_return_null=1

tools/build.sh "$build" -Db_sanitize="$sanitizer" -Db_lundef=false -Doptimization=1 -Ddebug=true \
  -Dcpp_args=-fno-sanitize-recover=all ${options[@]+"${options[@]}"} ||
  { echo "0 passed, 1 failed"; exit 1; }
log=$build/meson-logs/testlog.json
rm -f "$log"
meson test -C "$build" --no-rebuild --timeout-multiplier 5 "${but[@]}" \
  > "$build/test.log" 2>&1 || true
[ -s "$log" ] || { cat "$build/test.log"; echo "0 passed, 1 failed"; exit 1; }
python3 tools/count_tests.py "$log"
