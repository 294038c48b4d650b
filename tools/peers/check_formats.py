#!/usr/bin/env python3
"""Opens what `soma convert` writes with the tools that own the forms, and compares every pixel.

roifile (ImageJ), labelme, ultralytics (YOLO) and shapely (GeoJSON) read the files; their polygons,
filled by scikit-image, must be the masks. Also: GeoJSON's polygons are valid and have the masks'
areas; roifile's, labelme's and shapely's own files are read back by soma; a RoiSet.zip of 5,000
cells is written and timed. Example: check_formats.py build/soma
"""
import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import roifile
import shapely.geometry
from labelme import LabelFile
from loguru import logger
from PIL import Image
from skimage.draw import polygon


def soma(program, *words):
    subprocess.run([program, *map(str, words), "--quiet"], check=True)


def read_csv(path):
    """id -> list of (class, mask)."""
    images = {}
    with open(path, newline="") as table:
        for row in csv.DictReader(table):
            cells = images.setdefault(row["id"], [])
            if not row["annotation"]:
                continue
            mask = np.zeros(int(row["height"]) * int(row["width"]), bool)
            runs = np.array(row["annotation"].split(), int).reshape(-1, 2)
            for start, length in runs:
                mask[start - 1 : start - 1 + length] = True
            cells.append((row["cell_type"], mask.reshape(int(row["height"]), int(row["width"]))))
    return images


def fill(rings, shape):
    """The even-odd rule over pixel centres; vertices are pixel corners."""
    mask = np.zeros(shape, bool)
    for ring in rings:
        xy = np.asarray(ring, float).reshape(-1, 2)
        rows, columns = polygon(xy[:, 1] - 0.5, xy[:, 0] - 0.5, shape)
        one = np.zeros(shape, bool)
        one[rows, columns] = True
        mask ^= one
    return mask


def compare(form, truth, found):
    """Both lists of (class, mask) in order; returns the smallest IoU."""
    assert [c for c, _ in truth] == [c for c, _ in found], f"{form}: other cells or classes"
    return min((np.logical_and(a, b).sum() / np.logical_or(a, b).sum()
                for (_, a), (_, b) in zip(truth, found)), default=1.0)


def imagej(folder, name, shape, classes):
    cells = []
    regions = roifile.ImagejRoi.fromfile(folder / f"{name}.zip")
    for roi in regions if isinstance(regions, list) else [regions]:
        cells.append((roi.name.rsplit("-", 1)[0], fill(roi.coordinates(multi=True), shape)))
    return cells


def labelme(folder, name, shape, classes):
    cells, groups = [], {}
    for one in LabelFile(str(folder / f"{name}.json")).shapes:
        mask = fill([one["points"]], shape)
        if one["group_id"] in groups:
            groups[one["group_id"]] |= mask
            continue
        cells.append((one["label"], mask))
        if one["group_id"] is not None:
            groups[one["group_id"]] = mask
    return cells


def yolo(folder, name, shape, classes):
    from ultralytics.data.utils import verify_image_label

    image = next((folder / "images").glob(f"{name}.*"))
    label = folder / "labels" / f"{name}.txt"
    read = verify_image_label((str(image), str(label), "", False, len(classes), 0, 0, False))
    assert read[0] is not None, read[-1]
    # Its rows carry the classes; it drops rows that are there twice, which the sets here have not.
    return [(classes[int(row[0])], fill([ring * [shape[1], shape[0]]], shape))
            for row, ring in zip(read[1], read[3])]


def geojson(folder, name, shape, classes):
    cells = []
    for feature in json.loads((folder / f"{name}.geojson").read_text())["features"]:
        geometry = shapely.geometry.shape(feature["geometry"])
        assert geometry.is_valid, shapely.is_valid_reason(geometry)
        parts = getattr(geometry, "geoms", [geometry])
        rings = [ring.coords[:-1] for part in parts for ring in (part.exterior, *part.interiors)]
        mask = fill(rings, shape)
        assert geometry.area == mask.sum(), "its area is not the mask's"
        cells.append((feature["properties"]["classification"]["name"], mask))
    return cells


READERS = {"imagej": imagej, "labelme": labelme, "yolo": yolo, "geojson": geojson}


def ragged_set(folder):
    """Label images of cells with holes, islands in them, specks and corners that touch."""
    random = np.random.default_rng(0)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for name in range(4):
        labels = np.zeros((120, 150), np.uint16)
        for i in range(12):
            y, x = 40 * (i // 4), 37 * (i % 4)
            labels[y : y + 40, x : x + 37][random.random((40, 37)) < (i + 1) / 13] = i + 1
        Image.fromarray(labels).save(folder / "labels" / f"{name}.png")
        Image.fromarray((labels * 9).astype(np.uint8)).save(folder / "images" / f"{name}.png")


def check_set(program, data, folder):
    table = folder / "truth.csv"
    soma(program, "convert", data, table)
    truth = read_csv(table)
    classes = sorted({c for cells in truth.values() for c, _ in cells})
    images = next(p for p in (data / "images", data / "train") if p.is_dir())
    for form, reader in READERS.items():
        out = folder / form
        soma(program, "convert", data, out)
        if form == "yolo":
            (out / "images").symlink_to(images)
        least = 1.0
        for name, cells in truth.items():
            shape = np.array(Image.open(next(images.glob(f"{name}.*")))).shape[:2]
            least = min(least, compare(form, cells, reader(out, name, shape, classes)))
        back = folder / f"{form}.csv"
        soma(program, "convert", out, back, "--images", images)
        same = read_csv(back)
        equal = truth.keys() == same.keys() and all(
            c == d and (a == b).all()
            for n in truth for (c, a), (d, b) in zip(truth[n], same[n], strict=True))
        print(f"{form:8} {sum(map(len, truth.values())):5} cells: least IoU {least:.6f} by its own "
              f"reader; read back by soma {'equal' if equal else 'DIFFERENT'}")
        assert least >= 0.99 and equal


def check_theirs(program, folder):
    """Files that the tools write themselves."""
    folder.mkdir()
    Image.fromarray(np.zeros((50, 60), np.uint8)).save(folder / "a.png")
    ring = [(5, 5), (30, 8), (28, 30), (10, 25)]
    roi = roifile.ImagejRoi.frompoints(np.array(ring))
    roi.name = "nucleus-0001"
    roifile.roiwrite(folder / "a.zip", [roi])
    shape = {"label": "nucleus", "points": ring, "group_id": None, "shape_type": "polygon",
             "flags": {}}
    LabelFile().save(str(folder / "a.json"), [shape], "a.png", 50, 60)
    feature = {"type": "Feature", "geometry": shapely.geometry.mapping(
        shapely.geometry.Polygon(ring)), "properties": {"classification": {"name": "nucleus"}}}
    (folder / "a.geojson").write_text(json.dumps(feature))
    for name in ("a.zip", "a.json", "a.geojson"):
        soma(program, "convert", folder / name, folder / "back.csv")
        (label, mask), = read_csv(folder / "back.csv")["a"]
        truth = fill([ring], (50, 60))
        iou = (mask & truth).sum() / (mask | truth).sum()
        print(f"{name:10} as its tool writes it: IoU {iou:.4f} with pixel centres")
        assert label == "nucleus" and iou >= 0.97  # COCO's rule at slanted edges


def time_roi_set(program, folder):
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    labels = np.zeros((2840, 2840), np.uint16)
    y, x = np.mgrid[:40, :40]
    disc = (y - 19.5) ** 2 + (x - 19.5) ** 2 < 18**2
    for i in range(5000):
        row, column = divmod(i, 71)
        labels[40 * row : 40 * row + 40, 40 * column : 40 * column + 40][disc] = i + 1
    Image.fromarray(labels).save(folder / "labels" / "a.png")
    Image.fromarray(np.zeros_like(labels, np.uint8)).save(folder / "images" / "a.png")
    seconds = {}
    for out in ("a.csv", "a.zip"):  # processor time: reading is the same for both
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        soma(program, "convert", folder, folder / out)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds[out] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    regions = roifile.ImagejRoi.fromfile(folder / "a.zip")
    print(f"RoiSet.zip: {len(regions)} regions; convert took {seconds['a.zip']:.2f} s of processor "
          f"time with reading, and {seconds['a.csv']:.2f} s to a table")
    assert len(regions) == 5000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("soma", help="the program")
    args = parser.parse_args()
    logger.disable("labelme")
    program = Path(args.soma).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        soma(program, "synth", folder / "drawn", "--images", 4, "--size", "320x240")
        ragged_set(folder / "ragged")
        for data in ("drawn", "ragged"):
            (folder / f"{data}-out").mkdir()
            check_set(program, folder / data, folder / f"{data}-out")
        check_theirs(program, folder / "theirs")
        time_roi_set(program, folder / "many")


if __name__ == "__main__":
    sys.exit(main())
