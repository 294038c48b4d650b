#!/usr/bin/env python3
"""The competition's score of Otsu's threshold and a watershed: what a model has to beat.

Needs numpy, Pillow, scipy and scikit-image (a development environment, never the product):
    python3 tools/peers/otsu_watershed.py OUT [--limit N]
OUT is a competition folder (train.csv, train/*.png). For each image the better of dark and of
bright objects is taken, which favours the method. Prints one line per cell type and the mean.
"""
import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.segmentation import watershed


def read_truth(folder):
    """id -> (cell type, list of flat pixel indices of each cell)."""
    truth = defaultdict(lambda: ["", []])
    with open(folder / "train.csv", newline="") as file:
        for row in csv.DictReader(file):
            runs = list(map(int, row["annotation"].split()))
            truth[row["id"]][0] = row["cell_type"]
            if runs:
                truth[row["id"]][1].append(np.concatenate(
                    [np.arange(s - 1, s - 1 + n) for s, n in zip(runs[::2], runs[1::2])]))
    return truth


def segment(image, bright):
    """Labels of the objects that Otsu's threshold finds, parted at the distance map's peaks."""
    smooth = gaussian(image.astype(float), 1)
    level = threshold_otsu(smooth)
    mask = ndimage.binary_fill_holes(smooth > level if bright else smooth < level)
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1)
    peaks = peak_local_max(distance, min_distance=5, labels=ndimage.label(mask)[0])
    seeds = np.zeros(image.shape, int)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-distance, seeds, mask=mask)
    sizes = np.bincount(labels.ravel())
    labels[sizes[labels] < 30] = 0
    return labels


def score(labels, cells):
    """Mean over k = 0..9 of TP / (TP + FP + FN); a hit at k iff 20 I > (10 + k) U."""
    names = np.unique(labels[labels > 0])
    if not len(names) or not cells:
        return float(len(names) == len(cells))
    place = np.full(labels.max() + 1, -1)
    place[names] = np.arange(len(names))
    areas = np.bincount(labels.ravel(), minlength=labels.max() + 1)[names]
    flat = labels.ravel()
    inter = np.zeros((len(names), len(cells)), np.int64)
    for j, cell in enumerate(cells):
        found, counts = np.unique(flat[cell], return_counts=True)
        keep = found > 0
        inter[place[found[keep]], j] = counts[keep]
    union = areas[:, None] + np.array([len(c) for c in cells])[None] - inter
    total = 0
    for k in range(10):
        hits = 20 * inter > (10 + k) * union
        tp = int((hits.sum(1) == 1).sum())
        fp = int((hits.sum(1) == 0).sum())
        fn = int((hits.sum(0) == 0).sum())
        total += tp / (tp + fp + fn)
    return total / 10


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=0)
    arguments = parser.parse_args()
    per_type = defaultdict(list)
    for name, (cell_type, cells) in sorted(read_truth(arguments.folder).items()):
        if arguments.limit and sum(map(len, per_type.values())) >= arguments.limit:
            break
        image = np.asarray(Image.open(arguments.folder / "train" / f"{name}.png").convert("L"))
        best = max(score(segment(image, bright), cells) for bright in (False, True))
        per_type[cell_type].append(best)
    for cell_type, scores in sorted(per_type.items()):
        print(f"{cell_type:10s} {np.mean(scores):.4f}  ({len(scores)} images)")
    print(f"{'mean':10s} {np.mean(sum(per_type.values(), [])):.4f}")


if __name__ == "__main__":
    main()
