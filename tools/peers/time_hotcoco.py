#!/usr/bin/env python3
"""Times COCO mask AP and the competition's score of dense images beside hotcoco (PyPI), turn by turn.

Draws --images images of --cells discs as COCO JSON, results that are moved by a pixel or two, and
times whole processes, from start to the printed numbers: `soma eval`, which gives both scores, and
hotcoco's COCOeval (segm, up to --cells detections), which gives AP. Prints JSON.

Usage: time_hotcoco.py SOMA [--images 500] [--cells 400] [--rounds 5] [--threads 2]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as codes

SIDE = 512

HOTCOCO = """
import sys
from hotcoco import COCO, COCOeval
truth = COCO(sys.argv[1])
run = COCOeval(truth, truth.load_res(sys.argv[2]), "segm")
run.params.max_dets = [1, 10, int(sys.argv[3])]
run.evaluate(); run.accumulate(); run.summarize()
"""


def disc(x, y, radius):
    """Column-major run lengths of a disc inside a SIDE x SIDE image, compressed, and its box."""
    columns = np.arange(max(0, int(x - radius)), min(SIDE, int(x + radius) + 2))
    reach = radius**2 - (columns - x)**2
    columns, reach = columns[reach > 0], np.sqrt(reach[reach > 0])
    top = np.clip(np.ceil(y - reach), 0, SIDE).astype(int)
    bottom = np.clip(np.floor(y + reach) + 1, 0, SIDE).astype(int)
    counts, at = [], 0
    for column, first, last in zip(columns, top, bottom):
        if last > first:
            counts += [int(column * SIDE + first - at), int(last - first)]
            at = int(column * SIDE + last)
    counts.append(SIDE * SIDE - at)
    code = codes.frPyObjects({"size": [SIDE, SIDE], "counts": counts}, SIDE, SIDE)
    box = [float(v) for v in codes.toBbox(code)]
    return {"size": [SIDE, SIDE], "counts": code["counts"].decode()}, box, int(sum(counts[1::2]))


def draw(folder, images, cells):
    random = np.random.default_rng(0)
    truth = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cell"}]}
    results = []
    Image.new("L", (SIDE, SIDE)).save(Path(folder) / "1.png")
    for image in range(1, images + 1):
        if image > 1:  # soma wants the files to be there
            os.link(Path(folder) / "1.png", Path(folder) / f"{image}.png")
        truth["images"].append({"id": image, "file_name": f"{image}.png", "height": SIDE,
                                "width": SIDE})
        for _ in range(cells):
            x, y = random.uniform(10, SIDE - 10, 2)
            radius = random.uniform(6, 14)
            code, box, area = disc(x, y, radius)
            truth["annotations"].append({
                "id": len(truth["annotations"]) + 1, "image_id": image, "category_id": 1,
                "segmentation": code, "bbox": box, "area": area, "iscrowd": 0})
            code, box, _ = disc(*(np.array([x, y]) + random.normal(0, 1, 2)), radius)
            results.append({"image_id": image, "file_name": f"{image}.png", "category_id": 1,
                            "segmentation": code, "bbox": box, "score": float(random.random())})
    paths = Path(folder) / "truth.json", Path(folder) / "results.json"
    for path, content in zip(paths, (truth, results)):
        path.write_text(json.dumps(content), encoding="ascii")
    return paths


def seconds(line):
    start = time.perf_counter()
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("soma")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--cells", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        truth, results = draw(folder, args.images, args.cells)
        lines = {"soma": [args.soma, "eval", "--data", truth, "--predictions", results, "--json",
                          "--threads", str(args.threads), "--max-dets", str(args.cells)],
                 "hotcoco": [sys.executable, "-c", HOTCOCO, truth, results, str(args.cells)]}
        found = {side: [] for side in lines}
        for _ in range(args.rounds):
            for side, line in lines.items():
                found[side].append(seconds(line))
    medians = {side: statistics.median(values) for side, values in found.items()}
    print(json.dumps({"seconds": found, "medians": medians,
                      "ratio": medians["hotcoco"] / medians["soma"]}))


if __name__ == "__main__":
    main()
