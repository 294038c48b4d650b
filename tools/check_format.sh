#!/usr/bin/env bash
# Checks that tracked C++ and CUDA files are as clang-format 14 writes them; other versions differ.
# Usage: check_format.sh [ROOT] | --fix | --self-test. Exit 77 (skipped) where version 14 is not.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

format=$(command -v clang-format-14 || true)
if [ -z "$format" ] && clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
  format=$(command -v clang-format)
fi
[ -n "$format" ] || { echo "format: no clang-format 14 (package clang-format-14)"; exit 77; }

if [ "${1:-}" = --self-test ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  cp "$root/.clang-format" "$folder"
  git -C "$folder" init -q
  for case in "good:int main() { return 0; }" "bad:int  main( ){return 0 ;}"; do
    echo "${case#*:}" > "$folder/a.cpp"
    git -C "$folder" add a.cpp
    if "$0" "$folder" > /dev/null 2>&1; then got=good; else got=bad; fi
    [ "$got" = "${case%%:*}" ] || { echo "check_format self-test: $case was $got"; exit 1; }
  done
  echo "check_format self-test: clean"
  exit 0
fi
mode=(--dry-run --Werror)
if [ "${1:-}" = --fix ]; then mode=(-i); shift; fi
cd "${1:-$root}"
# tests/goldens holds numbers that scripts wrote.
if ! found=$(git -c safe.directory='*' ls-files -z '*.h' '*.cuh' '*.cpp' '*.cu' ':!tests/goldens' |
             xargs -0 -r "$format" --style=file "${mode[@]}" 2>&1); then
  grep -oE '^[^ :]+:[0-9]+' <<< "$found" | sort -t: -k1,1 -u | sed 's/$/: first line to format/'
  echo "format: run tools/check_format.sh --fix"
  exit 1
fi
echo "format: clean"
