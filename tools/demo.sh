#!/usr/bin/env bash
# The main job from nothing, on cells that soma draws itself: install what is missing, build, draw
# data, train, predict, score, and make the pictures. Minutes on two cores; everything is in demo/.
# Usage: demo.sh [--minutes N] [KEY=VALUE ...]   N minutes of training, 4 unless told
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=4
if [ "${1:-}" = --minutes ]; then minutes=$2; shift 2; fi

tools/setup.sh
TARGETS=soma tools/build.sh build  # without the tests
soma=build/soma
rm -rf demo

step() { echo; echo "\$ $*"; "$@" < /dev/null; }
step $soma synth demo/data --images 40 --size 352x260
step $soma train --data demo/data --out demo/run model.preset=cells train.minutes="$minutes" "$@"
step $soma predict --model demo/run --images demo/data/test --out demo/predictions \
  --format submission,coco,overlay,labels,measurements
step $soma show --data demo/data/test.csv --images demo/data/test --out demo/pictures \
  --predictions demo/predictions/submission.csv
step $soma report demo/run
score=($soma eval --data demo/data/test.csv --images demo/data/test
       --predictions demo/predictions/submission.csv)
echo; echo "\$ ${score[*]}"
"${score[@]}" --json < /dev/null > demo/score.json
python3 - << 'END'
import json
score = json.load(open("demo/score.json"))
low, high = score["kaggle_interval"]
print(f"competition score on {score['images']} test images: {score['kaggle']:.3f}"
      f" (95 % interval {low:.3f} to {high:.3f})")
END
for path in demo/predictions/submission.csv demo/predictions/measurements.csv \
  demo/predictions/overlays demo/pictures demo/run/report.html; do
  [ ! -e "$path" ] || echo "$path"
done
