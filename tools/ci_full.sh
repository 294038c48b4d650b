#!/usr/bin/env bash
# The long checks, before a release: every compiler that is here, every sanitizer on all tests,
# every instruction set that the CPU has, other fuzzed files than every push tries, clang-tidy, and
# the oldest and newest Debian.
# Usage: ci_full.sh [JOB...]: compilers isas static pages offline sanitizers fuzz cuda tidy debian; all
# unless told. At most 170 minutes on two cores. Needs root for `static`, `offline` and `debian`
# (chroot, debootstrap). The last line is
# `N passed, N failed`.
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
  job "thread sanitizer on the CUDA kernels" 1200 tools/sanitize.sh thread emulator
}

fuzz() { SOMA_FUZZ_SEED=0 job "fuzz the readers" 1200 tools/fuzz.sh 600; }

cuda() {  # a binary that starts here, then every architecture; no card is needed
  if ! command -v nvcc > /dev/null && ! [ -x /usr/local/cuda/bin/nvcc ]; then
    echo "skipped cuda: no nvcc here"
    return
  fi
  job "a CUDA binary without a card" 2400 bash -c 'tools/build.sh build-no-card -Dcuda=enabled \
    -Dtests=false && tools/no_card.sh build-no-card'
  job "CUDA by nvcc, every architecture" 3000 bash -c 'TARGETS=build.ninja \
    tools/build.sh build-cuda -Dcuda=enabled -Dgpu_archs=all && tools/check_cuda.py build-cuda'
}

static() { job "one static file in an empty root" 600 tools/static.sh; }

pages() {  # the commands that the guides show
  job "commands of docs/tutorial.md" 600 tools/run_readme.py docs/tutorial.md
}

offline() { job "the bundle in a root without a network" 1200 tools/offline.sh; }

tidy() { job clang-tidy 900 tools/tidy.sh; }

debian() {
  local release
  for release in bookworm trixie; do
    job "Debian $release from nothing" 1500 tools/debian_root.sh "$release" tools/test.sh
  done
}

for name in "${@:-compilers isas static pages offline sanitizers fuzz cuda tidy debian}"; do
  for part in $name; do "$part"; done
done
closing_line
