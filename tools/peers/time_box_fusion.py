#!/usr/bin/env python3
"""Times joining the boxes of several models beside ensemble-boxes (PyPI), on the same drawn boxes.

Each model sees the same cells, moved by a few pixels, with scores of its own and some false finds.
soma's times are those of the call alone, as the package's are: its functions are called once
before, which also shows that both leave equally many boxes. The two take turns, and the least time
of each counts: that which other programs disturbed least. The package's are times of the processor,
since calls that long are interrupted.

Usage: time_box_fusion.py BENCH_BOX_FUSION [--models 5] [--boxes 1000] [--rounds 5]
"""
import argparse
import subprocess
import time

import ensemble_boxes as package
import numpy as np

SIDE = 704
SECONDS = .5  # of a round, for each of the package's functions


def draw(models, count):
    """models x (boxes, scores, labels), corners in pixels."""
    random = np.random.default_rng(1)
    corner, size = random.uniform(0, SIDE - 40, (count, 2)), random.uniform(8, 40, (count, 2))
    label = random.integers(0, 3, count)
    found = []
    for _ in range(models):
        boxes = np.concatenate([corner, corner + size], 1) + random.normal(0, 2, (count, 4))
        false = random.random(count) < .2
        boxes[false] = np.roll(boxes[false] + random.uniform(-30, 30), 1, axis=0)
        boxes = np.clip(boxes, 0, SIDE)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        found.append((boxes, random.uniform(.05, 1, count), label))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bench")
    parser.add_argument("--models", type=int, default=5)
    parser.add_argument("--boxes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    found = draw(args.models, args.boxes)
    lines = [f"{args.models}"] + [
        " ".join(f"{c:.4f}" for c in box) + f" {score:.6f} {label} {source}"
        for source, (boxes, scores, labels) in enumerate(found)
        for box, score, label in zip(boxes, scores, labels)]
    ways = {"nms": package.nms, "soft_nms": package.soft_nms,
            "nmw": package.non_maximum_weighted, "wbf": package.weighted_boxes_fusion}
    settings = {"nms": {"iou_thr": .5}, "soft_nms": {"iou_thr": .5, "sigma": .5, "thresh": .001},
                "nmw": {"iou_thr": .5}, "wbf": {"iou_thr": .5}}
    boxes, scores, labels = ([list(part) for part in side] for side in zip(*found))
    boxes = [np.array(one) / SIDE for one in boxes]
    ours, theirs = {way: [] for way in ways}, {way: [] for way in ways}
    left = {way: len(function(boxes, scores, labels, **settings[way])[0])
            for way, function in ways.items()}
    for _ in range(args.rounds):
        answer = subprocess.run([args.bench, "20"], input="\n".join(lines), text=True, check=True,
                                capture_output=True).stdout
        for way, count, milliseconds in map(str.split, answer.splitlines()):
            assert int(count) == left[way], f"{way}: {count} boxes are left, not {left[way]}"
            ours[way].append(float(milliseconds))
        for way, function in ways.items():
            end = time.perf_counter() + SECONDS
            while time.perf_counter() < end:
                begin = time.process_time()
                function(boxes, scores, labels, **settings[way])
                theirs[way].append(1000 * (time.process_time() - begin))
    for way in ways:
        mine, other = min(ours[way]), min(theirs[way])
        print(f"{way}: soma {mine:.2f} ms, ensemble-boxes {other:.1f} ms, {other / mine:.0f} times")


if __name__ == "__main__":
    main()
