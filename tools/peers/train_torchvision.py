#!/usr/bin/env python3
"""A baseline to compare soma's training with: torchvision's Mask R-CNN, ResNet-18-FPN, from scratch.

Trains for some wall minutes on random crops, predicts the validation images whole, writes COCO
results and prints mask AP and the competition's score as JSON. What an experienced user would do
without weights from elsewhere: batch norm, nothing frozen, anchors of the cells' sizes, AdamW with
warm-up and cosine decay over the wall time, flips and quarter turns, the data set's mean and std.
Needs torch, torchvision and pycocotools, which soma itself never does.

Example: train_torchvision.py --data usiigaci/train.json --val usiigaci/val.json --minutes 20 --out r
"""
import argparse
import json
import math
import time
from pathlib import Path

import cells
import numpy as np
import torch
from pycocotools import mask as codes
from torchvision.models.detection import MaskRCNN, roi_heads
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="competition folder, .csv or COCO .json")
    parser.add_argument("--images", help="folder of the images, where not beside the table")
    parser.add_argument("--val", help="like --data; without it every tenth image is held out")
    parser.add_argument("--val-images", help="like --images, of --val")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--scale", type=float, default=1.0, help="of crops and images")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rois", type=int, default=256)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--decay", type=float, default=0.01)
    parser.add_argument("--anchors", default="8,16,32,64,128", help="sizes of P2-P6")
    parser.add_argument("--max-dets", type=int, default=1000)
    parser.add_argument("--score", type=float, default=0.5, help="threshold of the competition score")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def build(args, images, classes):
    pixels = np.concatenate([i.pixels().reshape(-1, 3)[::17] for i in images]) / 255.0
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5,
                                   norm_layer=torch.nn.BatchNorm2d)
    sizes = tuple((int(size),) for size in args.anchors.split(","))
    side = int(args.crop * args.scale)
    return MaskRCNN(
        backbone, len(classes) + 1, min_size=side, max_size=side,
        image_mean=pixels.mean(0).tolist(), image_std=pixels.std(0).tolist(),
        rpn_anchor_generator=AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes)),
        rpn_post_nms_top_n_train=1000, rpn_post_nms_top_n_test=args.max_dets,
        box_batch_size_per_image=args.rois, box_detections_per_img=args.max_dets)


def turned(canvas, chance):
    """One of the eight ways to lay a square, over the last two axes."""
    canvas = torch.rot90(canvas, chance % 4, (-2, -1))
    return canvas.flip(-1) if chance >= 4 else canvas


def random_crop(image, pixels, side, random):
    """One training example: float image [3, S, S] and torchvision's target, padded where small."""
    top = int(random.integers(0, max(1, image.height - side + 1)))
    left = int(random.integers(0, max(1, image.width - side + 1)))
    window = pixels[top:top + side, left:left + side]
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[:window.shape[0], :window.shape[1]] = window
    masks, labels = [], []
    for x, y, mask, category in image.instances:
        y0, x0 = max(top, y), max(left, x)
        y1, x1 = min(top + side, y + mask.shape[0]), min(left + side, x + mask.shape[1])
        if y0 >= y1 or x0 >= x1:
            continue
        part = mask[y0 - y:y1 - y, x0 - x:x1 - x]
        if part.sum() < max(4, 0.1 * mask.sum()):  # a sliver at the border teaches nothing
            continue
        whole = np.zeros((side, side), np.uint8)
        whole[y0 - top:y1 - top, x0 - left:x1 - left] = part
        masks.append(whole)
        labels.append(category)
    chance = int(random.integers(0, 8))
    example = turned(torch.from_numpy(canvas).permute(2, 0, 1).float() / 255, chance)
    stack = np.stack(masks) if masks else np.zeros((0, side, side), np.uint8)
    stack = turned(torch.from_numpy(stack), chance).contiguous()
    boxes = torch.zeros((len(masks), 4))
    for i, mask in enumerate(stack):
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        boxes[i] = torch.tensor([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return example, {"boxes": boxes, "labels": torch.tensor(labels, dtype=torch.int64),
                     "masks": stack}


def train(args, model, images):
    """Runs for the wall time asked for; (iterations, seconds)."""
    random = np.random.default_rng(args.seed)
    pixels = [image.pixels() for image in images]
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=args.decay)
    model.train()
    start, budget, iteration = time.monotonic(), 60 * args.minutes, 0
    while (elapsed := time.monotonic() - start) < budget:
        rate = min(1.0, (iteration + 1) / 50) * 0.5 * (1 + math.cos(math.pi * elapsed / budget))
        for group in optimizer.param_groups:
            group["lr"] = args.lr * rate
        chosen = random.integers(0, len(images), args.batch)
        batch = [random_crop(images[i], pixels[i], args.crop, random) for i in chosen]
        losses = model([b[0] for b in batch], [b[1] for b in batch])
        total = sum(losses.values())
        if not torch.isfinite(total):
            raise SystemExit(f"iteration {iteration}: the loss is {total.item()}")
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        if iteration % 20 == 0:
            print(f"iteration {iteration} at {elapsed:.0f} s: loss {total.item():.3f}", flush=True)
        iteration += 1
    return iteration, time.monotonic() - start


@torch.no_grad()
def predict(args, model, image):
    """(box, score, instance) of one whole image; masks are pasted one at a time to save memory."""
    example = torch.from_numpy(image.pixels().copy()).permute(2, 0, 1).float() / 255
    model.transform.min_size = (round(min(image.height, image.width) * args.scale),)
    model.transform.max_size = 10**6
    inputs, _ = model.transform([example])
    features = model.backbone(inputs.tensors)
    proposals, _ = model.rpn(inputs, features)
    found = model.roi_heads(features, proposals, inputs.image_sizes)[0][0]
    sizes = inputs.image_sizes[0]
    ratio = torch.tensor([image.width / sizes[1], image.height / sizes[0]] * 2)
    results = []
    for box, score, label, mask in zip(found["boxes"] * ratio, found["scores"], found["labels"],
                                       found["masks"]):
        pasted = roi_heads.paste_masks_in_image(mask[None], box[None], (image.height, image.width))
        instance = cells.cropped((pasted[0, 0] >= 0.5).numpy(), int(label))
        if instance:
            results.append((box.tolist(), float(score), instance))
    return results


def main():
    args = options()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    images, classes = cells.read(args.data, args.images)
    if args.val:
        held, _ = cells.read(args.val, args.val_images)
    else:
        held, images = images[::10], [i for n, i in enumerate(images) if n % 10]
    for image in images + held:
        if not image.path.is_file():  # now, not after the training
            raise SystemExit(f"{image.path}: no such image; see --images and --val-images")
    model = build(args, images, classes)
    iterations, seconds = train(args, model, images)
    model.eval()
    args.out.mkdir(parents=True, exist_ok=True)
    results, scores = [], {args.score: [], **{round(0.1 * k, 1): [] for k in range(1, 10)}}
    start = time.monotonic()
    for number, image in enumerate(held, 1):
        found = predict(args, model, image)
        for box, score, instance in found:
            code = codes.encode(cells.full(instance, image.height, image.width))
            results.append({"image_id": number, "file_name": image.name, "score": score,
                            "category_id": instance[3],
                            "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                            "segmentation": {"size": code["size"],
                                             "counts": code["counts"].decode()}})
        for least, values in scores.items():
            kept = [(score, instance) for _, score, instance in found if score >= least]
            labels = cells.without_overlaps(kept, image.height, image.width)
            values.append(cells.kaggle_score(image, labels))
    predicted = time.monotonic() - start
    truth = cells.coco_truth(held, classes)
    (args.out / "val.json").write_text(json.dumps(truth))
    (args.out / "coco.json").write_text(json.dumps(results))
    torch.save(model.state_dict(), args.out / "model.pth")
    means = {least: float(np.mean(values)) for least, values in scores.items()}
    best = max(means, key=means.get)
    summary = {"iterations": iterations, "train_seconds": seconds, "images": len(held),
               "predict_seconds_per_image": predicted / len(held), "kaggle": means[args.score],
               "kaggle_best": means[best], "kaggle_best_score": best,
               **cells.coco_ap(truth, results, args.max_dets)}
    (args.out / "summary.json").write_text(json.dumps({**vars(args), "out": str(args.out),
                                                       **summary}, indent=1))
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
