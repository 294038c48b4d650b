#!/usr/bin/env bash
# Fuzzes each reader of weights files under the address and undefined behaviour sanitizers, from the
# files of tools/goldens/weights.py. Usage: fuzz.sh [SECONDS], per reader, 30 unless told. What it
# finds stays in build-fuzz/. Needs clang 14 with libFuzzer; ends with `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-30}
build=build-fuzz
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' > "$probe/a.cpp"
if ! clang++-14 -fsanitize=fuzzer "$probe/a.cpp" -o "$probe/a" 2> /dev/null; then
  echo "skipped fuzzing: no clang 14 with libFuzzer (packages clang-14, libclang-rt-14-dev)"
  exit 0
fi

[ -f $build/build.ninja ] || CXX=clang++-14 meson setup $build -Dfuzz=true -Dtests=false \
  -Doptimization=1 > $build.log 2>&1 || { cat $build.log; exit 1; }
rm -f $build.log
readers=(read_safetensors_table read_torch_zip read_torch_legacy read_numpy_pickle)
seeds=("*.safetensors" "[zb]*.pth" "legacy.pth" "*.pkl")
ninja -C $build "${readers[@]/#/tests/fuzz/fuzz_}" > $build/build.log 2>&1 ||
  { tail -n 40 $build/build.log; echo "0 passed, 1 failed"; exit 1; }

passed=0 failed=0
for i in "${!readers[@]}"; do
  reader=${readers[i]} corpus=$build/corpus/${readers[i]}
  mkdir -p "$corpus"
  cp tests/goldens/weights/${seeds[i]} "$corpus"
  if $build/tests/fuzz/fuzz_"$reader" -max_total_time="$seconds" -max_len=8192 -timeout=10 \
    -rss_limit_mb=1024 -artifact_prefix="$build/$reader-" "$corpus" > "$build/$reader.log" 2>&1
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
