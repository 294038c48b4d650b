#!/usr/bin/env python3
"""Draws a COCO file of LIVECell's size (a million polygons of 8 classes, about 1 GB) and tells the
memory that soma takes with it: VmHWM, all its pages, and RssAnon, those that it shares with no
file. A small network is trained twice, on few images as well, which tells its own part.

Example: large_coco.py build/soma --annotations 1018576
"""
import argparse
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT, POINTS, CLASSES = 704, 520, 60, 8
FEW = 32  # images
# Two iterations of a network that takes little, of crops.
TRAINING = ("model.preset=cells", "model.backbone=resnet18", "model.backbone_width=16",
            "model.fpn_channels=32", "model.box_channels=64", "model.mask_channels=32",
            "train.iterations=2", "train.rois=32", "train.batch=1", "input.crop=128",
            "train.eval_images=4")


def segmentation(random, angles):
    x, y = random.uniform(20, WIDTH - 20), random.uniform(20, HEIGHT - 20)
    radius = random.uniform(6, 16) * random.uniform(.9, 1.1, POINTS)
    xy = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1)
    points = ", ".join(f"{v:.2f}" for v in xy.ravel())
    return f'"bbox": [{x:.2f}, {y:.2f}, 20.0, 20.0], "segmentation": [[{points}]]'


def draw(folder, images, annotations):
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(folder / "0.png")
    random = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    path = folder / "large.json"
    with open(path, "w") as out:
        out.write('{"images": [')
        for i in range(images):
            if i:
                os.link(folder / "0.png", folder / f"{i}.png")
            out.write(f'{"," * (i > 0)}{{"id": {i}, "width": {WIDTH}, "height": {HEIGHT}, '
                      f'"file_name": "{i}.png"}}')
        classes = ", ".join(f'{{"id": {c}, "name": "line {c}"}}' for c in range(1, CLASSES + 1))
        out.write(f'], "categories": [{classes}], "annotations": [')
        shapes = [segmentation(random, angles) for _ in range(5000)]
        for i in range(annotations):
            out.write(f'{"," * (i > 0)}{{"id": {i}, "image_id": {i % images}, '
                      f'"category_id": {1 + i % images % CLASSES}, "iscrowd": 0, '
                      f'"area": 300.5, {shapes[i % len(shapes)]}}}')
        out.write("]}")
    return path


def peak_of(program, *words):
    child = subprocess.Popen([program, *map(str, words), "--quiet"], stdout=subprocess.DEVNULL)
    peak = {}
    while child.poll() is None:
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
        except OSError:
            break
        for line in status.splitlines():
            name, _, value = line.partition(":")
            if name in ("VmHWM", "RssAnon"):
                peak[name] = max(peak.get(name, 0), int(value.split()[0]) / 1024)
        try:
            child.wait(0.02)
        except subprocess.TimeoutExpired:
            pass
    assert child.wait() == 0
    return peak


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("soma", help="the program")
    parser.add_argument("--images", type=int, default=3188)
    parser.add_argument("--annotations", type=int, default=1018576)
    args = parser.parse_args()
    program = Path(args.soma).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, few = folder / "large.json", folder / "few" / "large.json"
        few.parent.mkdir()
        draw(folder, args.images, args.annotations)
        draw(few.parent, FEW, FEW * args.annotations // args.images)
        nothing = folder / "nothing.json"
        nothing.write_text("[]")
        print(f"{path.stat().st_size / 1e6:.0f} MB, {args.annotations} annotations")
        # The first does nothing with what it read.
        for what, *words in (("show", "--data", path, "--ids", "0", "--out", folder / "out"),
                             ("stats", "--data", path),
                             ("convert", path, folder / "out.csv"),
                             ("eval", "--data", path, "--predictions", nothing),
                             ("train", "--data", path, "--out", folder / "run", *TRAINING),
                             ("train", "--data", few, "--out", folder / "few/run", *TRAINING)):
            peak = peak_of(program, what, *words)
            print(f"{what:8} VmHWM {peak['VmHWM']:.0f} MiB, private (RssAnon) "
                  f"{peak['RssAnon']:.0f} MiB{', few images' * (few in words)}", flush=True)


if __name__ == "__main__":
    main()
