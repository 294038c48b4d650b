#!/usr/bin/env python3
"""Writes tests/goldens/box_fusion.txt: what ensemble-boxes 1.0.9 makes of random and tied boxes.

Usage: box_fusion.py OUT (needs ensemble-boxes and numba from PyPI). The package sorts unstably, so
ties are broken for it by 1e-9 times the place, as soma breaks them. Its nms and soft_nms are called
without weights below the surface, where the fallen scores can be seen.
Lines: case METHOD ENTRIES SOURCES IOU, the weights, then x0 y0 x1 y1 score class source per box,
then `result N` and x0 y0 x1 y1 score class per box, score down.
"""
import sys

import numpy as np
from ensemble_boxes.ensemble_boxes_nms import cpu_soft_nms_float, nms_float_fast
from ensemble_boxes.ensemble_boxes_nmw import non_maximum_weighted
from ensemble_boxes.ensemble_boxes_wbf import weighted_boxes_fusion

SIDE, CLASSES, SOURCES = 128.0, 2, 3


def draw(rng, count, tied):
    """Boxes in pixels, a few places with several near copies each, none under one pixel."""
    centres = rng.uniform(20, 108, (6, 2))
    centre = centres[rng.integers(0, 6, count)] + rng.normal(0, 2.5, (count, 2))
    half = rng.uniform(6, 14, (count, 2))
    boxes = np.concatenate([centre - half, centre + half], 1).clip(0, SIDE)
    if tied:
        boxes = np.round(boxes / 4) * 4
    boxes = boxes.astype(np.float32).astype(np.float64)
    scores = rng.integers(1, 5, count) / 4 if tied else rng.uniform(0.05, 1, count)
    scores = scores.astype(np.float32).astype(np.float64)
    labels = rng.integers(0, CLASSES, count)
    sources = np.sort(rng.integers(0, SOURCES, count))
    return boxes, scores, labels, sources


def per_class(labels, run):
    rows = []
    for label in np.unique(labels):
        rows += [(*row, label) for row in run(np.flatnonzero(labels == label))]
    return rows


def result_of(method, data, weights, iou):
    boxes, scores, labels, sources = data
    factor = weights[sources] / weights.max()
    scores = scores - 1e-9 * np.arange(len(scores)) / factor  # after weighting: 1e-9 a place
    unit = boxes / SIDE
    if method in ("nms", "soft_nms"):
        ranked = scores * factor

        def run(rows):
            if method == "nms":
                keep = nms_float_fast(unit[rows], ranked[rows], iou)
                return [(*boxes[rows[k]], ranked[rows[k]]) for k in keep]
            falling = ranked[rows].copy()
            keep = cpu_soft_nms_float(unit[rows].copy(), falling, iou, 0.5, 0.001, 2)
            kept = falling[falling > 0.001]
            return [(*boxes[rows[k]], s) for k, s in zip(keep, kept)]

        rows = per_class(labels, run)
    else:
        lists = [[], [], []]
        for s in range(SOURCES):
            for out, values in zip(lists, (unit, scores, labels)):
                out.append(values[sources == s])
        fuse = weighted_boxes_fusion if method.startswith("wbf") else non_maximum_weighted
        more = {"conf_type": "max"} if method == "wbf_max" else {}
        found = fuse(*lists, weights=list(weights), iou_thr=iou, **more)
        rows = [(*(b * SIDE), s, l) for b, s, l in zip(*found)]
    return sorted(rows, key=lambda row: -row[4])


def main():
    rng = np.random.default_rng(7)
    lines = []
    for method in ("nms", "soft_nms", "nmw", "wbf", "wbf_max"):
        for tied in (False, True):
            for weights in (np.ones(3), np.array([2.0, 1.0, 0.5])):
                data = draw(rng, 40, tied)
                iou = 0.4 if tied else 0.55
                rows = result_of(method, data, weights, iou)
                lines.append(f"case {method} 40 {SOURCES} {iou}")
                lines.append(" ".join(f"{w:g}" for w in weights))
                for box, score, label, source in zip(*data):
                    numbers = " ".join(f"{v:.9g}" for v in (*box, score))
                    lines.append(f"{numbers} {label} {source}")
                lines.append(f"result {len(rows)}")
                lines += [" ".join(f"{v:.9g}" for v in row) for row in rows]
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
