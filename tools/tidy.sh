#!/usr/bin/env bash
# clang-tidy 14 over the tracked .cpp files, or those named. What .clang-tidy calls an error fails.
# Usage: tidy.sh [FILE...]; needs the compile commands of build/.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/build.sh build
[ $# -gt 0 ] || mapfile -t files < <(git -c safe.directory='*' ls-files '*.cpp')
printf '%s\n' "${@:-${files[@]}}" |
  xargs -P "$(nproc)" -n 4 clang-tidy-14 -p build --quiet 2> /dev/null
