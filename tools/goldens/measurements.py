#!/usr/bin/env python3
"""Makes tests/goldens/measurements.txt: shapes measured by scikit-image's regionprops.

Run in a venv with numpy and scikit-image:
  python tools/goldens/measurements.py > tests/goldens/measurements.txt
A line: height width area centroid_x centroid_y perimeter eccentricity mean_intensity, then the
competition's run lengths to the end of the line. The image is (7 x + 13 y + x y) mod 256.
"""
import numpy as np
from skimage.measure import regionprops


def format_runs(mask):
    flat = np.concatenate([[0], mask.ravel().astype(np.int8), [0]])
    edges = np.flatnonzero(np.diff(flat))
    return " ".join(f"{a + 1} {b - a}" for a, b in zip(edges[::2], edges[1::2]))


def draw_shapes(rng):
    y, x = np.mgrid[:23, :31]
    for _ in range(12):
        cy, cx, ry, rx = rng.uniform(0, 23), rng.uniform(0, 31), *rng.uniform(1, 9, 2)
        turn = rng.uniform(0, np.pi)
        u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        yield (u / rx) ** 2 + (v / ry) ** 2 < 1
    for share in (0.02, 0.2, 0.5, 0.8):
        yield rng.random((23, 31)) < share
    yield (x == 4) & (y == 6)
    yield (x == 30) & (y == 22)
    yield (y == 3) & (x > 5)
    yield (x == y) & (x < 9)
    yield (x - y == 2) & (x > 3) & (x < 6)
    yield np.ones((23, 31), bool)
    yield (abs(x - 12) < 6) & (abs(y - 12) < 6) & ~((abs(x - 12) < 3) & (abs(y - 12) < 3))


def main():
    y, x = np.mgrid[:23, :31]
    image = ((7 * x + 13 * y + x * y) % 256).astype(np.uint8)
    for mask in draw_shapes(np.random.default_rng(0)):
        if not mask.any():
            continue
        (cell,) = regionprops(mask.astype(np.uint8), intensity_image=image)
        cy, cx = map(float, cell.centroid)
        values = [cx, cy, float(cell.perimeter), float(cell.eccentricity)]
        values.append(float(cell.intensity_mean))
        print(*mask.shape, int(cell.area), *map(repr, values), format_runs(mask))


if __name__ == "__main__":
    main()
