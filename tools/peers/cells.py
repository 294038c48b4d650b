"""Data sets and scores for the peers' benchmarks: reading, splitting, AP, the competition's score.

A data set is a list of Image; an instance is (x, y, mask, category): a boolean mask cropped to its
box, whose top left corner is (x, y). Masks are decoded once. Needs numpy, Pillow, pycocotools.
"""
import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from pycocotools import mask as codes
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


@dataclass
class Image:
    name: str  # file name as the data set writes it
    path: Path
    height: int
    width: int
    instances: list = field(default_factory=list)

    def pixels(self):
        """uint8 [H, W, 3]."""
        return np.asarray(Pillow.open(self.path).convert("RGB"))


def cropped(mask, category):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return None
    y, x = int(rows[0]), int(columns[0])
    return x, y, mask[y:rows[-1] + 1, x:columns[-1] + 1].astype(bool), category


def read_csv(table, images):
    """A competition table (1-based row-major run lengths) beside a folder of images."""
    with open(table, newline="", encoding="utf-8") as rows:
        rows = list(csv.DictReader(rows))
    classes = sorted({row["cell_type"] for row in rows})
    found = {}
    for row in rows:
        name, height, width = row["id"], int(row["height"]), int(row["width"])
        image = found.setdefault(name, Image(name + ".png", images / f"{name}.png", height, width))
        runs = np.array(row["annotation"].split(), np.int64).reshape(-1, 2)
        flat = np.zeros(height * width, bool)
        for start, length in runs:
            flat[start - 1:start - 1 + length] = True
        instance = cropped(flat.reshape(height, width), classes.index(row["cell_type"]) + 1)
        if instance:
            image.instances.append(instance)
    return [found[name] for name in sorted(found)], classes


def read_coco(path, images):
    table = json.loads(Path(path).read_text(encoding="utf-8"))
    classes = [c["name"] for c in sorted(table["categories"], key=lambda c: c["id"])]
    place = {c["id"]: classes.index(c["name"]) + 1 for c in table["categories"]}
    found = {i["id"]: Image(i["file_name"], images / i["file_name"], i["height"], i["width"])
             for i in table["images"]}
    for a in table["annotations"]:
        image, shape = found[a["image_id"]], a["segmentation"]
        if isinstance(shape, list):
            shape = codes.merge(codes.frPyObjects(shape, image.height, image.width))
        elif isinstance(shape["counts"], list):
            shape = codes.frPyObjects(shape, image.height, image.width)
        instance = cropped(codes.decode(shape).astype(bool), place[a["category_id"]])
        if instance:
            image.instances.append(instance)
    return list(found.values()), classes


def read(path, images=None):
    """(images, class names) of a competition folder, a .csv or a COCO .json."""
    path = Path(path)
    if path.suffix == ".json":
        return read_coco(path, Path(images or path.parent))
    if path.suffix == ".csv":
        return read_csv(path, Path(images or path.parent / "train"))
    return read_csv(path / "train.csv", path / "train")


def full(instance, height, width):
    x, y, mask, _ = instance
    canvas = np.zeros((height, width), np.uint8, order="F")
    canvas[y:y + mask.shape[0], x:x + mask.shape[1]] = mask
    return canvas


def coco_truth(images, classes):
    table = {"info": {}, "images": [], "annotations": [],
             "categories": [{"id": i + 1, "name": name} for i, name in enumerate(classes)]}
    for number, image in enumerate(images, 1):
        table["images"].append({"id": number, "file_name": image.name, "height": image.height,
                                "width": image.width})
        for x, y, mask, category in image.instances:
            code = codes.encode(full((x, y, mask, category), image.height, image.width))
            code["counts"] = code["counts"].decode()
            table["annotations"].append({
                "id": len(table["annotations"]) + 1, "image_id": number, "iscrowd": 0,
                "category_id": category, "segmentation": code, "area": int(mask.sum()),
                "bbox": [x, y, mask.shape[1], mask.shape[0]]})
    return table


def coco_ap(truth, results, max_detections):
    """{"AP", "AP50", "AP75"} of COCO results (mask AP, all areas)."""
    if not results:
        return {"AP": 0.0, "AP50": 0.0, "AP75": 0.0}
    reference = COCO()
    reference.dataset = truth
    reference.createIndex()
    evaluation = COCOeval(reference, reference.loadRes(results), "segm")
    evaluation.params.maxDets = [1, 10, max_detections]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]

    def mean(part):
        part = part[part > -1]
        return float(part.mean()) if part.size else float("nan")
    return {"AP": mean(precision), "AP50": mean(precision[0]), "AP75": mean(precision[5])}


def without_overlaps(found, height, width):
    """Label image of (score, instance) pairs: each pixel goes to the best score that wants it."""
    labels = np.zeros((height, width), np.int32)
    for number, (_, (x, y, mask, _)) in enumerate(sorted(found, key=lambda f: -f[0]), 1):
        part = labels[y:y + mask.shape[0], x:x + mask.shape[1]]
        part[mask & (part == 0)] = number
    return labels


def kaggle_score(image, labels):
    """The competition's score of one image: a hit at k = 0...9 when 20 I > (10 + k) U."""
    areas = np.bincount(labels.ravel(), minlength=1)
    predictions = np.flatnonzero(areas[1:]) + 1
    truths = len(image.instances)
    if truths == 0 or predictions.size == 0:
        return float(truths == 0 and predictions.size == 0)
    hits = np.zeros((10, truths, areas.size), bool)
    for t, (x, y, mask, _) in enumerate(image.instances):
        under = labels[y:y + mask.shape[0], x:x + mask.shape[1]][mask]
        inter = np.bincount(under, minlength=areas.size)
        union = mask.sum() + areas - inter
        for k in range(10):
            hits[k, t] = 20 * inter > (10 + k) * union
    hits[:, :, 0] = False
    per_prediction = hits.sum(1)[:, predictions]
    tp = (per_prediction == 1).sum(1)
    fp = (per_prediction == 0).sum(1)
    fn = (hits.sum(2) == 0).sum(1)
    return float((tp / (tp + fp + fn)).mean())
