#!/usr/bin/env python3
"""Makes tests/goldens/coco_ap.txt: random small cases scored by pycocotools.

Run in a venv with numpy and pycocotools:
  python tools/goldens/coco_ap.py > tests/goldens/coco_ap.txt
A case: `case NAME classes max_dets images`, then for each image `image height width truths
predictions` and its objects `class crowd rle` and `class score rle` (rle: COCO's compressed
string), then `expect` AP AP50 AP75 small medium large AR, `class` AP of each class, and `levels`
the mean precision of class 0 at each IoU threshold. -1 where no truth counts.
"""
import contextlib
import io

import numpy as np
from pycocotools import mask as mask_util
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def encode(x, y, w, h, height, width, notch):
    pixels = np.zeros((height, width), np.uint8, order="F")
    pixels[y : y + h, x : x + w] = 1
    if notch:
        pixels[y : y + h // 3, x : x + w // 3] = 0
    return mask_util.encode(pixels)


def draw_box(rng, height, width, options):
    if "sides" in options:
        w = h = rng.choice(options["sides"])
    else:
        w, h = (rng.integers(1, min(options["most"], side)) for side in (width, height))
    return rng.integers(0, width - w + 1), rng.integers(0, height - h + 1), w, h


def draw_image(rng, options):
    height, width = options["size"]
    truths, predictions = [], []
    for _ in range(rng.integers(0, options["truths"] + 1)):
        box = draw_box(rng, height, width, options)
        truth_class = int(rng.integers(0, options["classes"]))
        crowd = int(rng.random() < options["crowd"])
        truths.append((truth_class, crowd, encode(*box, height, width, rng.random() < 0.3)))
        for _ in range(rng.integers(0, options["copies"] + 1)):
            x, y, w, h = box
            w = max(1, w - int(rng.integers(0, 1 + w // 4)))
            h = max(1, h - int(rng.integers(0, 1 + h // 4)))
            other = int(rng.integers(0, options["classes"]))
            predicted = truth_class if rng.random() < 0.8 else other
            score = rng.integers(1, options["scores"] + 1) / options["scores"]
            predictions.append((predicted, score, encode(x, y, w, h, height, width, False)))
    for _ in range(rng.integers(0, options["false"] + 1)):
        box = draw_box(rng, height, width, options)
        score = rng.integers(1, options["scores"] + 1) / options["scores"]
        predictions.append(
            (int(rng.integers(0, options["classes"])), score, encode(*box, height, width, False))
        )
    order = rng.permutation(len(predictions))
    return height, width, truths, [predictions[i] for i in order]


def evaluate(images, classes, max_dets):
    data = {
        "images": [{"id": i + 1, "height": h, "width": w} for i, (h, w, _, _) in enumerate(images)],
        "categories": [{"id": c + 1, "name": str(c)} for c in range(classes)],
        "annotations": [],
    }
    results = []
    for i, (_, _, truths, predictions) in enumerate(images):
        for truth_class, crowd, rle in truths:
            data["annotations"].append(
                {
                    "id": len(data["annotations"]) + 1,
                    "image_id": i + 1,
                    "category_id": truth_class + 1,
                    "segmentation": rle,
                    "area": int(mask_util.area(rle)),
                    "bbox": mask_util.toBbox(rle).tolist(),
                    "iscrowd": crowd,
                }
            )
        for predicted, score, rle in predictions:
            results.append(
                {
                    "image_id": i + 1,
                    "category_id": predicted + 1,
                    "segmentation": rle,
                    "score": score,
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = data
        truth.createIndex()
        if results:
            found = truth.loadRes(results)
        else:  # loadRes refuses an empty list
            found = COCO()
            found.dataset = dict(data, annotations=[])
            found.createIndex()
        job = COCOeval(truth, found, "segm")
        job.params.maxDets = [max_dets]
        job.evaluate()
        job.accumulate()
    return job.eval["precision"], job.eval["recall"]


def mean(values):
    values = values[values > -1]
    return float(values.mean()) if values.size else -1.0


def print_case(name, images, classes, max_dets):
    precision, recall = evaluate(images, classes, max_dets)  # [T, R, K, A, M], [T, K, A, M]
    print("case", name, classes, max_dets, len(images))
    for height, width, truths, predictions in images:
        print("image", height, width, len(truths), len(predictions))
        for truth_class, crowd, rle in truths:
            print(truth_class, crowd, rle["counts"].decode())
        for predicted, score, rle in predictions:
            print(predicted, repr(float(score)), rle["counts"].decode())
    values = [mean(precision[:, :, :, 0]), mean(precision[0, :, :, 0]), mean(precision[5, :, :, 0])]
    values += [mean(precision[:, :, :, a]) for a in (1, 2, 3)] + [mean(recall[:, :, 0])]
    print("expect", *map(repr, values))
    print("class", *[repr(mean(precision[:, :, k, 0])) for k in range(classes)])
    print("levels", *[repr(mean(precision[t, :, 0, 0])) for t in range(10)])


def main():
    base = dict(size=(24, 30), truths=8, most=14, classes=2, crowd=0, copies=2, false=4)
    base["scores"] = 4096  # different values
    cases = {
        "plain": dict(images=4),
        "ties": dict(images=5, scores=4, copies=3),
        "one_score": dict(images=3, scores=1, copies=3),
        "crowds": dict(images=5, crowd=0.3, copies=3, scores=16),
        "max_dets": dict(images=4, copies=4, max_dets=3, scores=8),
        "three_classes": dict(images=6, classes=3, truths=3, false=2),
        "areas": dict(images=6, size=(130, 150), most=140, truths=6, crowd=0.15, scores=32),
        "large_things": dict(images=5, size=(200, 220), most=199, truths=5, crowd=0.1, scores=16),
        "small_things": dict(images=6, size=(90, 90), most=70, truths=10, scores=64),
        "range_edges": dict(images=6, size=(100, 110), sides=[32, 96], truths=5, scores=16),
        "no_truth": dict(images=2, truths=0, false=3),
        "no_prediction": dict(images=2, copies=0, false=0),
        "nothing": dict(images=2, truths=0, false=0),
        "sparse": dict(images=8, truths=1, false=1, scores=2),
    }
    for seed, (name, change) in enumerate(cases.items()):
        options = {**base, **change}
        rng = np.random.default_rng(seed)
        images = [draw_image(rng, options) for _ in range(options["images"])]
        print_case(name, images, options["classes"], options.get("max_dets", 1000))


if __name__ == "__main__":
    main()
