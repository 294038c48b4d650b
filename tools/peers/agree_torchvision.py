#!/usr/bin/env python3
"""Holds soma's detections against torchvision's maskrcnn_resnet50_fpn on real images.

One model, saved by torch.save; soma reads that file, torchvision runs it; then soma writes it back
in torchvision's names, torchvision loads that with strict=True and must detect the same.

Its weights are random with sensible statistics: a random backbone whose norms have the images' own,
and FPN and heads after a short training on these images. Untrained heads would not do: their mask
logits are noise from one of the 28 x 28 cells to the next, so that a pasted mask is full of specks
thinner than a pixel, which no trained file has, and which come and go with a box's last digit.
Scaling such logits makes the specks steeper, not fewer.

Prints a row per size and image and the table of what must be reached; exits 1 when it is not.
A mask's pixels may part within a rim of one pixel only. Two kinds of mask that part farther are
told apart from failures, each in a row of its own: ties, where torchvision's probability is within
TIE of the threshold .5, and masks that torchvision, given soma's box instead of its own, makes as
soma does. There the difference is the boxes', which has its limit, at a place where a mask jumps: a
corner that is cut to the next pixel, a sample of RoIAlign that is dropped behind the map's border.

Usage: agree_torchvision.py SOMA DATA OUT [--sizes 256,800,1344] [--images N of each set]
DATA holds dsb2018/train, dsb2018/train.csv and usiigaci/{images,labels}; OUT is a folder for the
weights and predictions. Needs torch, torchvision, pycocotools, Pillow, scipy.
"""
import argparse
import csv
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as codes
from scipy import ndimage
from torchvision.models.detection import maskrcnn_resnet50_fpn
from torchvision.models.detection.roi_heads import maskrcnn_inference
from torchvision.ops import masks_to_boxes

CLASSES = 3
LIMITS = {"box, px": 0.05, "score": 1e-4, "masks with IoU >= .999": 0.97, "matched": 0.995}
TIE = 1e-4
STEPS, RATE, WARM_UP, TRAIN_SIZE, TRAIN_ROIS = 60, 2e-4, 20, 256, 64


def image_paths(data, count):
    """So many of each set, evenly spaced."""
    paths = []
    for folder in ("dsb2018/train", "usiigaci/images"):
        names = sorted((data / folder).glob("*.png"))
        paths += names[::max(1, len(names) // count)][:count]
    return paths


def pixels(path):
    image = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
    return torch.from_numpy(image).permute(2, 0, 1)


def cells(path):
    """torchvision's target: the sets' cells are two classes."""
    if path.parent.name == "images":
        labels = np.asarray(Image.open(path.parents[1] / "labels" / path.name))
        masks, label = [labels == i for i in np.unique(labels) if i > 0], 2
    else:
        masks, label = [], 1
        with open(path.parents[1] / "train.csv", encoding="ascii") as table:
            for row in csv.DictReader(table):
                if row["id"] == path.stem:
                    mask = np.zeros(int(row["height"]) * int(row["width"]), bool)
                    runs = np.array(row["annotation"].split(), int).reshape(-1, 2)
                    for begin, length in runs:
                        mask[begin - 1:begin - 1 + length] = True
                    masks.append(mask.reshape(int(row["height"]), int(row["width"])))
    masks = torch.from_numpy(np.stack(masks))
    boxes = masks_to_boxes(masks) + torch.tensor([0.0, 0.0, 1.0, 1.0])
    return {"boxes": boxes, "labels": torch.full((len(masks),), label), "masks": masks.byte()}


def measure_norms(model, images):
    """Gives the backbone's norms odd weights and the images' statistics.

    The last norm of a block is small, as in trained files. With all of them near 1 the features are
    so rough that a proposal's last digits move its score: torchvision's own f32 scores then part
    from its f64 ones by as much as is allowed.
    """
    norms = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
    for name, norm in norms.items():
        norm.momentum = None  # the plain mean over the images
        low, high = (0.1, 0.4) if name.endswith("bn3") else (0.5, 1.5)
        norm.weight.data.uniform_(low, high)
        norm.bias.data.normal_(0, 0.1)
        norm.train()
    model.transform.min_size, model.transform.max_size = (400,), 667
    with torch.no_grad():
        for image in images:
            model.backbone(model.transform([image])[0].tensors)
    for norm in norms.values():
        norm.eval()


def train_heads(model, images, targets):
    """FPN and heads; the norms and the rest of the backbone stay.

    A loss that overshoots at the start leaves weights so large that torchvision's own f32 scores
    part from its f64 ones by most of what is allowed, hence the warm-up.
    """
    model.backbone.body.requires_grad_(False)
    learnt = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learnt, RATE)
    for part in (model, model.transform, model.rpn, model.roi_heads):
        part.training = True
    model.roi_heads.fg_bg_sampler.batch_size_per_image = TRAIN_ROIS
    model.transform.min_size = (TRAIN_SIZE,)
    for step in range(STEPS):
        i = step % len(images)
        optimizer.param_groups[0]["lr"] = RATE * min(1, (step + 1) / WARM_UP)
        losses = model([images[i]], [targets[i]])
        if step % 10 == 0 or step == STEPS - 1:
            print("step", step, *[f"{k[5:]} {v.item():.3f}" for k, v in losses.items()], flush=True)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    model.eval()


def build(paths, images, make=maskrcnn_resnet50_fpn):
    torch.manual_seed(0)
    model = make(weights=None, weights_backbone=None, num_classes=CLASSES + 1)
    model.eval()
    measure_norms(model, images)
    train_heads(model, images, [cells(path) for path in paths])
    return model


def by_torchvision(model, image):
    with torch.no_grad():
        found = model([image])[0]
    softs = found["masks"][:, 0].numpy() if "masks" in found else [None] * len(found["boxes"])
    return [{"box": box, "score": score, "label": label, "soft": soft}
            for box, score, label, soft in zip(
                found["boxes"].double().numpy(), found["scores"].double().numpy(),
                found["labels"].numpy(), softs)]


def masks_at(model, image, box, label):
    """torchvision's probabilities, pasted, of a box in the image's pixels that it is given."""
    with torch.no_grad():
        inputs, _ = model.transform([image])
        (height, width), size = inputs.image_sizes[0], image.shape[1:]
        scale = [width / size[1], height / size[0]] * 2
        boxes = torch.tensor(box * scale, dtype=torch.float32)[None]
        heads, labels = model.roi_heads, [torch.tensor([label])]
        pooled = heads.mask_roi_pool(model.backbone(inputs.tensors), [boxes], inputs.image_sizes)
        logits = heads.mask_predictor(heads.mask_head(pooled))
        found = {"boxes": boxes, "labels": labels[0],
                 "masks": maskrcnn_inference(logits, labels)[0]}
        return model.transform.postprocess([found], inputs.image_sizes, [size])[0]["masks"][0, 0]


def by_soma(soma, weights, paths, out, words):
    subprocess.run([soma, "predict", "--model", weights, "--images", *map(str, paths), "--out", out,
                    "--format", "coco", "--quiet", *words], check=True)
    found = {path.name: [] for path in paths}
    for entry in json.loads((Path(out) / "coco.json").read_text()):
        x, y, w, h = entry["bbox"]
        found[entry["file_name"]].append(
            {"box": np.array([x, y, x + w, y + h]), "score": entry["score"],
             "label": entry["category_id"], "code": entry["segmentation"]})
    return found


@dataclass
class Agreement:
    """What comparing lists of detections gave; lists add up by join()."""
    theirs: int = 0
    ours: int = 0
    boxes: list = field(default_factory=list)   # largest difference of each pair's corners
    scores: list = field(default_factory=list)
    ious: list = field(default_factory=list)
    off: int = 0      # masks that differ beyond a one-pixel rim
    ties: int = 0     # the same, probabilities there within TIE of the threshold
    moved: int = 0    # the same, but not from torchvision's own mask at soma's box
    far: float = 0.0  # the largest distance from the threshold of a tie
    swapped: int = 0  # neighbours in another order, scores too far apart for a tie

    def join(self, other):
        for name, value in vars(other).items():
            mine = getattr(self, name)
            setattr(self, name, max(mine, value) if name == "far" else mine + value)

    def __str__(self):
        return (f"theirs {self.theirs} ours {self.ours} matched {len(self.boxes)}"
                f" box {max(self.boxes, default=0):.2g} score {max(self.scores, default=0):.2g}"
                f" worst mask {min(self.ious, default=1):.5f} off the rim {self.off}"
                f" ties {self.ties} by the box {self.moved} other order {self.swapped}")


def strays(theirs, ours):
    """Pixels that differ beyond a one-pixel rim of theirs, which has its corners too."""
    square = np.ones((3, 3))
    rim = ndimage.binary_dilation(theirs, square) & ~ndimage.binary_erosion(theirs, square)
    return (theirs ^ ours) & ~rim


def compare_masks(soft, code, again, result):
    """`again` gives torchvision's probabilities at soma's box."""
    theirs, ours = soft >= 0.5, codes.decode(code) > 0
    union = (theirs | ours).sum()
    iou = (theirs & ours).sum() / union if union else 1.0
    result.ious.append(iou)
    off = strays(theirs, ours)
    if iou >= 0.999 or not off.any():
        return
    distance = float(np.abs(soft[off].astype(float) - 0.5).max())
    if distance < TIE:
        result.ties += 1
        result.far = max(result.far, distance)
    elif not strays(again().numpy() >= 0.5, ours).any():
        result.moved += 1
    else:
        result.off += 1


def compare(theirs, ours, model, image):
    free = list(range(len(ours)))
    pairs, result = [], Agreement(len(theirs), len(ours))
    for a in theirs:
        near = [(np.abs(ours[j]["box"] - a["box"]).max(), abs(ours[j]["score"] - a["score"]), j)
                for j in free if ours[j]["label"] == a["label"]]
        near = [n for n in near if n[0] <= 1 and n[1] <= 0.01]
        if not near:
            continue
        box, score, j = min(near)
        free.remove(j)
        pairs.append(j)
        result.boxes.append(box)
        result.scores.append(score)
        if a["soft"] is not None:
            box, label = ours[j]["box"], ours[j]["label"]
            compare_masks(a["soft"], ours[j]["code"], lambda: masks_at(model, image, box, label),
                          result)
    tie = 2 * max(result.scores, default=0)  # closer ones may change places
    result.swapped = sum(1 for j, k in zip(pairs, pairs[1:])
                         if j > k and abs(ours[j]["score"] - ours[k]["score"]) > tie)
    return result


def failed(total):
    """Prints the table; whether a row of it is not reached."""
    good = float(np.mean(np.array(total.ious) >= 0.999)) if total.ious else 1.0
    count = max(total.theirs, total.ours)
    reached = {"box, px": max(total.boxes, default=0), "score": max(total.scores, default=0),
               "masks with IoU >= .999": good, "matched": len(total.boxes) / max(1, count)}
    bad = total.off > 0 or total.swapped > 0 or count == 0
    for name, value in reached.items():
        limit = LIMITS[name]
        fits = value <= limit if name in ("box, px", "score") else value >= limit
        bad |= not fits
        print(f"| {name} | {limit} | {value:.6g} | {'yes' if fits else 'NO'} |")
    print(f"| other masks off the one-pixel rim | 0 | {total.off} |")
    print(f"| the same: ties, farthest from .5 | - | {total.ties}, {total.far:.2g} |")
    print(f"| the same: by the difference of boxes | - | {total.moved} |")
    print(f"| in another order | 0 | {total.swapped} |")
    return bad


def settings(size):
    limit = int(size * 1.6665)
    return (size,), limit, ["model.preset=torchvision", "model.norm=frozen",
                            f"input.min_size={size}", f"input.max_size={limit}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("soma")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sizes", default="256,512,800,1344")
    parser.add_argument("--images", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    paths = image_paths(args.data, args.images)
    images = [pixels(path) for path in paths]
    model = build(paths, images)
    weights, back = args.out / "model.pth", args.out / "back.safetensors"
    torch.save(model.state_dict(), weights)
    subprocess.run([args.soma, "convert", weights, back, "--names", "torchvision", "--quiet"],
                   check=True)
    total = Agreement()
    for size in map(int, args.sizes.split(",")):
        model.transform.min_size, model.transform.max_size, words = settings(size)
        words.append(f"model.classes=[{','.join('abc'[:CLASSES])}]")
        found = by_soma(args.soma, weights, paths, args.out / str(size), words)
        for path, image in zip(paths, images):
            one = compare(by_torchvision(model, image), found[path.name], model, image)
            print(f"{size:5} {path.parents[1].name:9} {path.name[:20]:20} {one}", flush=True)
            total.join(one)
    bad = failed(total)
    bad |= not round_trip(model, back, images[0])
    sys.exit(bad)


def read_safetensors(path):
    data = path.read_bytes()
    header_length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + header_length])
    header.pop("__metadata__", None)
    state = {}
    for name, entry in header.items():
        begin, end = (8 + header_length + offset for offset in entry["data_offsets"])
        state[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32).reshape(
            entry["shape"])
    return state


def round_trip(model, back, image):
    """soma's file in torchvision's names: strict=True, and the same detections."""
    copy = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=CLASSES + 1)
    copy.load_state_dict(read_safetensors(back), strict=True)
    copy.eval()
    copy.transform = model.transform
    same = all(np.array_equal(a[key], b[key]) for a, b in zip(by_torchvision(model, image),
                                                             by_torchvision(copy, image))
               for key in ("box", "score", "soft"))
    print(f"| round trip: strict=True, the same detections | yes | {'yes' if same else 'NO'} |")
    return same


if __name__ == "__main__":
    main()
