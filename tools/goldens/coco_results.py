#!/usr/bin/env python3
"""Makes tests/goldens/coco_results.json: detections whose masks pycocotools encoded.

Run in a venv with numpy and pycocotools:
  python tools/goldens/coco_results.py > tests/goldens/coco_results.json
Detection i of image 1 + i % 2 (7x9 pixels) holds the pixels with (3 x + 5 y + i) % 4 == 0.
"""
import json

import numpy as np
from pycocotools import mask as mask_util


def main():
    y, x = np.mgrid[:7, :9]
    results = []
    for i in range(5):
        rle = mask_util.encode(np.asfortranarray((3 * x + 5 * y + i) % 4 == 0, dtype=np.uint8))
        rle["counts"] = rle["counts"].decode()
        box = [0.25 + i, 0.5, 3.125, 4]
        entry = dict(image_id=1 + i % 2, category_id=7, bbox=box, score=0.125 * i, segmentation=rle)
        results.append(entry)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
