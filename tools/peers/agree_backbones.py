#!/usr/bin/env python3
"""Holds soma against torchvision on files that are less than a Mask R-CNN: resnet50's and
fasterrcnn_resnet50_fpn's, the latter in the names of both generations of torchvision.

Each file, saved by torch.save, goes into a Mask R-CNN as fine-tuning does it, with a learning rate
of 0: the log must tell what was loaded and what the file lacks, and every tensor of the file must
come back, bit for bit, from `soma convert --names torchvision`. The Faster R-CNN must then find the
boxes that torchvision finds, to the limits of agree_torchvision.py.

Usage: agree_backbones.py SOMA DATA OUT [--size 400]; DATA and needs as for agree_torchvision.py.
Exits 1 when something is not reached.
"""
import argparse
import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from torchvision.models import resnet50
from torchvision.models.detection import fasterrcnn_resnet50_fpn

import agree_torchvision as agree


def small_set(data, out):
    """One image of each class, in the competition's layout."""
    with open(data / "dsb2018/train.csv", encoding="ascii") as table:
        rows = list(csv.DictReader(table))
    ids = {row["cell_type"]: row["id"] for row in reversed(rows)}.values()
    (out / "train").mkdir(parents=True, exist_ok=True)
    for name in ids:
        shutil.copy(data / "dsb2018/train" / f"{name}.png", out / "train")
    with open(out / "train.csv", "w", encoding="ascii", newline="") as table:
        writer = csv.DictWriter(table, rows[0].keys())
        writer.writeheader()
        writer.writerows(row for row in rows if row["id"] in ids)


def without_training(soma, data, weights, out):
    """A run folder of the file's weights as `soma train` loads them, and its log."""
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([soma, "train", "--data", data, "--out", out, "--quiet", *agree.settings(256)[2],
                    f"model.weights={weights}", "train.lr=0", "train.batch=1",
                    "train.iterations=1", "train.eval_images=1"], check=True)
    return (out / "log.txt").read_text()


def old_names(state):
    """Before torchvision 0.13."""
    rules = [(r"(_blocks\.\d)\.0\.", r"\1."), (r"rpn\.head\.conv\.0\.0\.", "rpn.head.conv.")]
    renamed = {}
    for name, tensor in state.items():
        for pattern, to in rules:
            name = re.sub(pattern, to, name)
        renamed[name] = tensor
    return renamed


def check_load(log, lacks, has):
    """The log's line of what is missing names the parts `lacks` and none of `has`."""
    missing = re.search("not in the file, at initial values: (.*)", log).group(1)
    good = all(part in missing for part in lacks) and not any(part in missing for part in has)
    print(f"  loaded: {re.search('  loaded: (.*)', log).group(1)}\n  lacks: {missing}")
    return good


def returned(soma, run, state, prefix):
    """Whether every tensor of the file is in the run as it was. The background's rows of bbox_pred,
    which nothing uses, are not kept."""
    back = run / "back.safetensors"
    subprocess.run([soma, "convert", run, back, "--names", "torchvision", "--quiet"], check=True)
    ours = agree.read_safetensors(back)
    kept = {name: x for name, x in state.items() if not re.match("fc|.*num_batches", name)}
    def same(name, theirs):
        first = 4 if name.startswith("roi_heads.box_predictor.bbox_pred") else 0
        return torch.equal(ours[prefix + name][first:], theirs[first:])

    return all(same(name, theirs) for name, theirs in kept.items())


def told(what, good):
    print(f"| {what} | yes | {'yes' if good else 'NO'} |", flush=True)
    return good


def check_resnet(soma, data, out):
    torch.manual_seed(1)
    state = resnet50(weights=None).state_dict()
    for tensor in state.values():  # the norms' parameters and statistics are 0 and 1 otherwise
        if tensor.dim() == 1:
            tensor.uniform_(0.9, 1.1)
    torch.save(state, out / "resnet50.pth")
    log = without_training(soma, data, out / "resnet50.pth", out / "resnet50")
    good = check_load(log, ["box_head", "fpn"], ["backbone"])  # the line ends with `and 9 more`
    return told("resnet50.pth: backbone loaded, the rest told", good) & told(
        "resnet50.pth: every tensor comes back", returned(soma, out / "resnet50", state,
                                                          "backbone.body."))


def check_faster(soma, data, out, paths, size):
    images = [agree.pixels(path) for path in paths]
    agree.STEPS = 0  # only masks need heads that have learnt
    model = agree.build(paths, images, fasterrcnn_resnet50_fpn)
    state, good = model.state_dict(), True
    model.transform.min_size, model.transform.max_size, words = agree.settings(size)
    for kind, names in (("new", state), ("old", old_names(state))):
        weights, run = out / f"faster_{kind}.pth", out / f"faster_{kind}"
        torch.save(names, weights)
        log = without_training(soma, data, weights, run)
        good &= told(f"fasterrcnn, {kind} names: all but the mask head loaded", check_load(
            log, ["mask_head"], ["backbone", "fpn", "rpn", "box_head"]))
        good &= told(f"fasterrcnn, {kind} names: every tensor comes back",
                     returned(soma, run, state, ""))
        found = agree.by_soma(soma, run, paths, out / f"found_{kind}", words)
        total = agree.Agreement()
        for path, image in zip(paths, images):
            total.join(agree.compare(agree.by_torchvision(model, image), found[path.name], model,
                                     image))
        print(f"fasterrcnn, {kind} names, {size}: {total}")
        good &= not agree.failed(total)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("soma")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=400)
    args = parser.parse_args()
    small_set(args.data, args.out / "data")
    good = check_resnet(args.soma, args.out / "data", args.out)
    paths = agree.image_paths(args.data, 1)
    good &= check_faster(args.soma, args.out / "data", args.out, paths, args.size)
    sys.exit(not good)


if __name__ == "__main__":
    main()
