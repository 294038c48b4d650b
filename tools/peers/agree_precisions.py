#!/usr/bin/env python3
"""How many of one run's detections another run finds again: same image, class and place.

A detection is matched by the one of highest IoU of boxes and of masks that no better one has taken,
where both reach --iou. Only scores from --score on count in the first run, so that a score that
falls below the threshold in the second is no miss there: give `predict` a lower test.score.
Prints a JSON object and exits 1 below --share.

Usage: agree_precisions.py F32/coco.json BF16/coco.json [--score 0.05] [--iou 0.95] [--share 0.99]
"""
import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

from pycocotools import mask as codes


def by_image_and_class(path):
    found = defaultdict(list)
    for result in json.loads(Path(path).read_text(encoding="utf-8")):
        found[result["file_name"], result["category_id"]].append(result)
    return found


def matched(ours, theirs, limit):
    """How many of `ours`, best first, find a partner of their own."""
    if not ours or not theirs:
        return 0
    crowd = [0] * len(theirs)
    boxes = codes.iou([d["bbox"] for d in ours], [d["bbox"] for d in theirs], crowd)
    masks = codes.iou([d["segmentation"] for d in ours], [d["segmentation"] for d in theirs], crowd)
    free, count = set(range(len(theirs))), 0
    for row in range(len(ours)):
        best = max(free, key=lambda j: min(boxes[row][j], masks[row][j]), default=None)
        if best is not None and min(boxes[row][best], masks[row][best]) >= limit:
            free.remove(best)
            count += 1
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--score", type=float, default=0.05)
    parser.add_argument("--iou", type=float, default=0.95)
    parser.add_argument("--share", type=float, default=0.99)
    args = parser.parse_args()
    first, second = by_image_and_class(args.first), by_image_and_class(args.second)
    total = count = 0
    for key, found in first.items():
        ours = sorted((d for d in found if d["score"] >= args.score), key=lambda d: -d["score"])
        total += len(ours)
        count += matched(ours, second.get(key, []), args.iou)
    share = count / total if total else 1
    print(json.dumps({"detections": total, "matched": count, "share": share}))
    sys.exit(share < args.share)


if __name__ == "__main__":
    main()
