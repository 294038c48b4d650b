#!/usr/bin/env bash
# Proves that a CUDA binary starts where there is no card, and says that it uses the CPU: `info`, a
# few iterations on --device auto, and the one line of --device cuda, without a driver and with one
# that is too old (a library that poses as it). Usage: no_card.sh BUILD, of -Dcuda=enabled. Skips
# with a message where a card works.
set -euo pipefail
cd "$(dirname "$0")/.."
soma=$PWD/$1/soma
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

expect() {  # WORDS COMMAND...: the command's output holds the words
  local words=$1 out
  shift
  out=$("$@" 2>&1 < /dev/null) || true
  grep -qF -- "$words" <<< "$out" || { echo "expected: $words"; echo "got: $out"; exit 1; }
}

if "$soma" info | grep -qx 'devices: cpu, cuda'; then
  echo "skipped: a card works here"
  exit 0
fi
"$soma" synth "$work/data" --images 3 --size 96x64 --quiet
train=("$soma" train --data "$work/data" model.preset=cells model.backbone_width=8 train.iterations=2
       train.batch=1 train.eval_images=0)

expect "devices: cpu, cuda, which cannot be used: no NVIDIA driver was found" "$soma" info
expect "gpu libraries: not looked for" "$soma" info
expect "computing on cpu: no NVIDIA driver was found; install one, or use --device cpu" \
  "${train[@]}" --out "$work/auto"
test -s "$work/auto/weights/last.safetensors"
expect "soma train: --device: cuda cannot be used: no NVIDIA driver was found" \
  "${train[@]}" --out "$work/none" --device cuda
test ! -e "$work/none"

cat > "$work/old.cpp" << 'END'
extern "C" int cuDriverGetVersion(int* version) { return *version = 11040, 0; }
extern "C" int cuInit(unsigned) { return 0; }
END
"${CXX:-g++}" -shared -fPIC -o "$work/libcuda.so.1" "$work/old.cpp"
LD_LIBRARY_PATH=$work expect "the NVIDIA driver" "$soma" info
LD_LIBRARY_PATH=$work expect "computing on cpu" "${train[@]}" --out "$work/old"
echo "no card: a CUDA binary computes on the CPU and says why"
