#!/usr/bin/env python3
"""Makes tests/goldens/masks.txt with pycocotools: random masks as COCO strings, their areas and
intersections, and polygons with the strings that COCO's tools make of them.

Lines: "mask HEIGHT WIDTH ROW-MAJOR-BITS STRING AREA", "pair INDEX INDEX INTERSECTION",
"polygon HEIGHT WIDTH STRING X Y X Y ...".
"""
import os

import numpy as np
from pycocotools import mask as coco

rng = np.random.default_rng(7)


def encode(pixels):
    return coco.encode(np.asfortranarray(pixels.astype(np.uint8)))


def masks():
    sizes = [(1, 1), (1, 9), (9, 1), (5, 7), (16, 12), (12, 33), (40, 3)]
    for height, width in sizes:
        yield np.zeros((height, width))
        yield np.ones((height, width))
        for share in (0.1, 0.5, 0.9):
            yield rng.random((height, width)) < share
    for _ in range(6):  # blobs, long runs
        y, x = np.mgrid[0:48, 0:64]
        cy, cx = rng.uniform(0, 48), rng.uniform(0, 64)
        ry, rx = rng.uniform(3, 40), rng.uniform(3, 50)
        yield ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1


def polygons():
    for _ in range(40):
        height, width = rng.integers(1, 60, 2)
        count = int(rng.integers(3, 12))
        spread = rng.choice([1.0, 1.6])  # some reach over the borders
        points = rng.uniform(0.5 - spread / 2, 0.5 + spread / 2, (count, 2)) * [width, height]
        decimals = int(rng.choice([0, 1, 2, 6]))
        yield height, width, np.round(points, decimals)
    for points in ([(2, 2), (8, 2), (8, 8), (2, 8)], [(2, 2), (2, 8), (8, 8), (8, 2)],
                   [(2, 2), (2, 2), (8, 2), (8, 8)], [(0, 0), (10, 0), (10, 10), (0, 10)],
                   [(-5, -5), (30, -5), (30, 30), (-5, 30)], [(3, 3), (3, 3), (3, 3)],
                   [(1, 1), (9, 9), (9, 1), (1, 9)], [(4.5, 0), (4.5, 10), (4.5, 5)]):
        yield 10, 12, np.array(points, float)


lines, codes = [], []
for pixels in masks():
    code = encode(pixels)
    codes.append(code)
    bits = "".join("1" if p else "0" for p in pixels.ravel())
    size = f"{pixels.shape[0]} {pixels.shape[1]}"
    lines.append(f"mask {size} {bits} {code['counts'].decode()} {coco.area(code)}")
for i, a in enumerate(codes):
    for j, b in enumerate(codes):
        if a["size"] == b["size"]:
            lines.append(f"pair {i} {j} {coco.area(coco.merge([a, b], intersect=True))}")
for height, width, points in polygons():
    code = coco.frPyObjects([points.ravel().tolist()], int(height), int(width))[0]
    numbers = " ".join(repr(float(n)) for n in points.ravel())
    lines.append(f"polygon {height} {width} {code['counts'].decode()} {numbers}")

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
with open(os.path.join(root, "tests", "goldens", "masks.txt"), "w") as out:
    out.write("\n".join(lines) + "\n")
