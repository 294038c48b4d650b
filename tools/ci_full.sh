#!/usr/bin/env bash
# The long checks, before a release: every compiler that is here, every sanitizer on all tests,
# every instruction set that the CPU has, clang-tidy, and the oldest and newest Debian.
# Usage: ci_full.sh [JOB...]: compilers isas static sanitizers tidy debian; all unless told. At most 90
# minutes on two cores. Needs root for `debian` (debootstrap, chroot). Ends with `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.."
exec < /dev/null
. tools/jobs.sh

compilers() {
  local compiler
  for compiler in g++-11 g++-12 g++-14 clang++-14; do
    command -v "$compiler" > /dev/null || { echo "skipped $compiler: not here"; continue; }
    CXX=$compiler job "$compiler, warnings are errors" 900 \
      tools/test.sh --build "build-$compiler" --werror
  done
}

isas() {  # the kernels' own tests run under each set in every run; here all the others do too
  local isa flag
  for isa in v2:sse4_2 v3:avx2 v4:avx512vl v4bf16:avx512_bf16; do
    flag=${isa#*:} isa=${isa%:*}
    grep -qw "$flag" /proc/cpuinfo || { echo "skipped $isa: not on this CPU"; continue; }
    SOMA_ISA=$isa job "every test with SOMA_ISA=$isa" 900 tools/test.sh
  done
}

sanitizers() {
  job "address and undefined behaviour sanitizers" 1500 tools/sanitize.sh address,undefined
  job "thread sanitizer" 1500 tools/sanitize.sh thread
}

static() { job "one static file in an empty root" 600 tools/static.sh; }

tidy() { job clang-tidy 900 tools/tidy.sh; }

debian() {
  local release
  for release in bookworm trixie; do
    job "Debian $release from nothing" 1500 tools/debian_root.sh "$release" tools/test.sh
  done
}

for name in "${@:-compilers isas static sanitizers tidy debian}"; do
  for part in $name; do "$part"; done
done
closing_line
