#!/usr/bin/env bash
# Trains soma (preset cells) and torchvision's Mask R-CNN with ResNet-18 from scratch for the same
# minutes on the same machine, each on half of its cores at the same time, and scores both on the
# same held-out images with `soma eval`. Both have anchors that `soma stats` finds in the data.
# Usage: train_side_by_side.sh PYTHON OUT MINUTES DATA VAL [KEY=VALUE ...]
#   PYTHON has torch, torchvision and pycocotools; DATA and VAL: competition folders or COCO files;
#   keys go to soma. Prints both scores as JSON, soma's first.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$1 out=$2 minutes=$3 data=$4 val=$5
shift 5
half=$(($(nproc) / 2))
[ "$half" -ge 1 ] || { echo "train_side_by_side.sh: needs two cores" >&2; exit 2; }
mkdir -p "$out"
anchors=$(build/soma stats --data "$data" --json 2> /dev/null |
  python3 -c 'import json, sys; print(*map(round, json.load(sys.stdin)["anchors"]["sizes"]), sep=",")')

taskset -c "0-$((half - 1))" build/soma train --data "$data" --out "$out/soma" --threads "$half" \
  model.preset=cells train.minutes="$minutes" "$@" --quiet &
soma=$!
taskset -c "$half-$((2 * half - 1))" "$python" tools/peers/train_torchvision.py --data "$data" \
  --val "$val" --out "$out/torchvision" --minutes "$minutes" --threads "$half" \
  --anchors "$anchors" \
  > "$out/torchvision.txt" &
peer=$!
wait "$soma"
build/soma eval --data "$val" --model "$out/soma" --json > "$out/soma.json" 2> /dev/null
wait "$peer"
build/soma eval --data "$val" --predictions "$out/torchvision/coco.json" --json \
  > "$out/torchvision.json" 2> /dev/null
cat "$out/soma.json" "$out/torchvision.json"
