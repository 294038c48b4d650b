#!/usr/bin/env bash
# What `meson install` puts down, used as a stranger would: examples/predict.cpp compiled and linked
# through pkg-config and run, the C interface from C, the manual found by man.
# Usage: install_test.sh SOURCE BUILD COMPILER...; everything in BUILD is built.
set -euo pipefail
source=$1 build=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

meson install -C "$build" --no-rebuild --destdir "$folder/dest" > "$folder/log" 2>&1 ||
  { cat "$folder/log"; exit 1; }
pc=$(find "$folder/dest" -name soma.pc)
prefix=$folder/dest$(sed -n 's/^prefix=//p' "$pc")
flags() {
  PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --define-variable=prefix="$prefix" "$@" soma
}
"$prefix/bin/soma" synth "$folder/data" --images 1 --size 96x96 --quiet
"$prefix/bin/soma" train --data "$folder/data" --out "$folder/run" --quiet model.preset=cells \
  model.backbone_width=8 model.fpn_channels=8 model.box_channels=16 model.mask_channels=8 \
  train.iterations=1 train.batch=1
image=$(ls "$folder"/data/test/*.png | head -n 1)

"$@" -std=c++20 "$source/examples/predict.cpp" $(flags --cflags) $(flags --libs --static) \
  -o "$folder/predict"
"$folder/predict" "$folder/run" "$image" | grep -E "^$image: [0-9]+ cells$"
if "$folder/predict" "$folder/nothing" "$image" 2> "$folder/error"; then exit 1; fi
grep -q "nothing: no such file" "$folder/error"

printf '%s\n' '#include <soma.h>' '#include <stdio.h>' 'int main(void) {' \
  'return soma_load("nothing", "cpu", NULL) != NULL || puts(soma_last_error()) < 0; }' \
  > "$folder/c.c"
if [ -e "$(dirname "$(dirname "$pc")")/libsoma_c.so" ]; then
  cc "$folder/c.c" $(flags --cflags) -L"$(dirname "$(dirname "$pc")")" -lsoma_c -o "$folder/c"
  LD_LIBRARY_PATH=$(dirname "$(dirname "$pc")") "$folder/c" | grep "nothing: no such file"
fi
grep -q "^.TH SOMA" "$prefix/share/man/man1/soma.1"
bash -n "$prefix/share/bash-completion/completions/soma.bash"
