#!/usr/bin/env bash
# Fuzzes the readers of files one after the other under the address and undefined behaviour
# sanitizers, from the files of tools/goldens/weights.py and tests/fuzz/fuzz_seeds.cpp. Usage:
# fuzz.sh [SECONDS [READER ...]], of all readers together, 120 unless told. Each run tries the same
# files first; SOMA_FUZZ_SEED=0 draws others. What it finds stays in build-fuzz/. Needs clang 14 with
# libFuzzer; ends with `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-120}
build=build-fuzz
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' > "$probe/a.cpp"
if ! clang++-14 -fsanitize=fuzzer "$probe/a.cpp" -o "$probe/a" 2> /dev/null; then
  echo "skipped fuzzing: no clang 14 with libFuzzer (packages clang-14, libclang-rt-14-dev)"
  exit 0
fi

[ -f $build/build.ninja ] || CXX="$(command -v ccache || true) clang++-14" meson setup $build \
  -Dfuzz=true -Dtests=false -Doptimization=1 > $build.log 2>&1 || { cat $build.log; exit 1; }
rm -f $build.log
ninja -C $build tests/fuzz/reader_fuzz tests/fuzz/fuzz_seeds > $build/build.log 2>&1 ||
  { tail -n 40 $build/build.log; echo "0 passed, 1 failed"; exit 1; }

corpus=$build/corpus
rm -rf $corpus  # what an earlier run found would make this one another
$build/tests/fuzz/fuzz_seeds $corpus
for seeds in "safetensors:*.safetensors" "torch_zip:[zb]*.pth" "torch_legacy:legacy.pth" \
  "numpy_pickle:*.pkl"; do
  mkdir -p "$corpus/${seeds%%:*}"
  cp tests/goldens/weights/${seeds#*:} "$corpus/${seeds%%:*}"
done
readers=("${@:2}")
[ ${#readers[@]} -gt 0 ] || mapfile -t readers < <(ls $corpus)

passed=0 failed=0
for reader in "${readers[@]}"; do
  if SOMA_READER=$reader $build/tests/fuzz/reader_fuzz -max_len=8192 -timeout=10 \
    -seed="${SOMA_FUZZ_SEED:-1}" \
    -max_total_time=$(((seconds + ${#readers[@]} - 1) / ${#readers[@]})) -rss_limit_mb=1024 \
    -artifact_prefix="$build/$reader-" "$corpus/$reader" > "$build/$reader.log" 2>&1
  then
    passed=$((passed + 1))
    echo "$reader: $(grep -E '^Done' "$build/$reader.log")"
  else
    failed=$((failed + 1))
    tail -n 40 "$build/$reader.log"
  fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
