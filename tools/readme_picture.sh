#!/usr/bin/env bash
# Makes docs/cells.png, the picture at the top of README.md: what a model finds in images, outlined.
# Usage: readme_picture.sh MODEL IMAGE ...   (four images fill the picture)
# PYTHON names a Python with Pillow, which brings the picture down to 200 colours.
set -euo pipefail
cd "$(dirname "$0")/.."
model=$1; shift
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir "$work/data" "$work/data/images"
cp "$@" "$work/data/images/"
# The label images of the predictions make a data set, which `soma show` draws.
build/soma predict --model "$model" --images "$work/data/images" --out "$work/data" --format labels
build/soma show --data "$work/data" --out "$work/show"
"${PYTHON:-python3}" - "$work/show/contact_sheet.png" docs/cells.png << 'END'
import sys
from PIL import Image
Image.open(sys.argv[1]).quantize(200, dither=Image.Dither.NONE).save(sys.argv[2], optimize=True)
END
ls -l docs/cells.png
