#!/usr/bin/env python3
"""How many instances of a data set predictions find, whatever their class, at IoU .3 and .5.

Pairs are made one to one, the greatest IoU first. For models that were trained on other classes.
Needs pycocotools. Example: found_cells.py val.json OUT/coco.json --score 0.3
"""
import argparse
import json
from collections import defaultdict

import numpy as np
from pycocotools import mask as codes
from pycocotools.coco import COCO


def pairs(overlaps, least):
    overlaps, found = overlaps.copy(), 0
    while overlaps.size and overlaps.max() >= least:
        row, column = np.unravel_index(overlaps.argmax(), overlaps.shape)
        overlaps[row, :] = overlaps[:, column] = -1
        found += 1
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="COCO .json")
    parser.add_argument("predictions", help="COCO results; images as numbered in data's order")
    parser.add_argument("--score", type=float, default=0.3)
    args = parser.parse_args()
    data = COCO(args.data)
    found, cells = defaultdict(list), 0
    counts = {0.3: 0, 0.5: 0}
    with open(args.predictions) as file:
        for detection in json.load(file):
            if detection["score"] >= args.score:
                found[detection["image_id"]].append(detection["segmentation"])
    for image in data.getImgIds():
        truth = [data.annToRLE(a) for a in data.imgToAnns[image]]
        cells += len(truth)
        if truth and found[image]:
            overlaps = codes.iou(found[image], truth, [0] * len(truth))
            counts = {least: n + pairs(overlaps, least) for least, n in counts.items()}
    predicted = sum(len(masks) for masks in found.values())
    print(json.dumps({"instances": cells, "predicted": predicted,
                      "found": {str(least): n / cells for least, n in counts.items()}}))


if __name__ == "__main__":
    main()
