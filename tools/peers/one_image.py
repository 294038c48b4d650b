#!/usr/bin/env python3
"""Writes a COCO file of one image: of those with many instances the one whose least is largest.

For overfitting: a model that cannot learn one image by heart cannot learn. Needs pycocotools.
Example: one_image.py usiigaci/train.json one.json --least 60
"""
import argparse
import json

from pycocotools.coco import COCO


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="COCO .json with masks as run lengths or polygons")
    parser.add_argument("out")
    parser.add_argument("--least", type=int, default=60, help="instances that it has at least")
    args = parser.parse_args()
    data = COCO(args.data)
    crowded = [i for i in data.getImgIds() if len(data.getAnnIds(i)) >= args.least]
    chosen = max(crowded, key=lambda i: min(data.annToMask(a).sum() for a in data.imgToAnns[i]))
    with open(args.out, "w") as file:
        json.dump({"images": data.loadImgs(chosen), "annotations": data.imgToAnns[chosen],
                   "categories": data.dataset["categories"]}, file)
    print(data.imgs[chosen]["file_name"], len(data.imgToAnns[chosen]), "instances")


if __name__ == "__main__":
    main()
