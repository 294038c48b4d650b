#!/usr/bin/env python3
"""Writes tests/goldens/model_{f64,f32,r50}.txt: a small Mask R-CNN run by torchvision.

Both sides compute every weight, image and mask from formulas, so only results are stored.

  u(name, i)   h = fnv1a32(name) + 0x9E3779B9 * i  (mod 2^32, i counts elements from 0), then
               h ^= h >> 16; h *= 0x85EBCA6B; h ^= h >> 13; h *= 0xC2B2AE35; h ^= h >> 16;
               u = (h >> 8) / 2^23 - 1, in [-1, 1): exact in float32.
  weights      By torchvision's name, elements counted in torchvision's layout (OIHW; transposed
               convolution IOHW; fully connected [out, in], fc6's columns C, H, W):
                 norm weight 1 + .2 u, bias .1 u, running_mean .1 u, running_var 1 + .5 u
                 other bias   .05 u
                 other weight gain * sqrt(6 / fan_in) * u, fan_in = elements / extent 0 (transposed
                              convolution: extent 0), gain by GAINS, else 1
               in double, then rounded to float32 (the float64 run starts from the same values).
  network      ResNet-18, frozen norm (eps 1e-5), nothing frozen; channels: FPN and RPN 32, box head
               64, mask head 32 (4 convolutions); 3 classes + background first; rules of the preset
               torchvision but for SETTINGS below.
               model_r50.txt (float64, no inference): the same on a ResNet-50, images "image3.n".
  images       Two of different size, padded with 0 at the bottom and right to 96 x 128, already
               normalised: pixel (c, y, x) of image n is .5 u("image.n", (c H + y) W + x) + 1 inside
               a cell, - .5 outside, rounded to float32.
  cells        ELLIPSES: centre and radii in eighths of a pixel, class. The mask holds pixel (x, y)
               when X^2 RY^2 + Y^2 RX^2 <= RX^2 RY^2 with X = 8 x + 4 - CX, Y = 8 y + 4 - CY (whole
               numbers); the box is the ellipse's: (CX - RX) / 8 ... not the mask's.
  sampling     No chance: the first positives and the first negatives by index (RPN: anchors, in
               the order of torchvision; RoI heads: proposals by score, then ground truth). All ten
               steps train on the same samples; they are in the file, so that a test can give them.
  projections  p(name) of a tensor: sum of x[i] * u(name, i), i in torchvision's layout (NCHW).

Rows, numbers of images and levels (2-6) first:
  feature LEVEL sumsq p("feature.LEVEL")           [N, C, H, W]; sumsq is the sum of squares
  rpn_logits LEVEL sumsq p("rpn_logits.LEVEL")     [N, A, H, W]; rpn_deltas alike, [N, 4 A, H, W]
  proposal IMAGE x1 y1 x2 y2                       of inference, best first
  detection IMAGE x1 y1 x2 y2 score label sumsq p("mask")   of the 28 x 28 probabilities; labels
                                                   here and below count the background as 0
  rpn_sample IMAGE 1|0 index...                    positive, then negative anchors
  roi IMAGE x1 y1 x2 y2 label matched              matched: which cell of the image
  loss STEP objectness rpn_box classifier box mask
  gradient NAME norm p("gradient.NAME")            of the five losses' sum at step 0
  weight NAME norm p("weight.NAME")                after ten steps of SGD: the network's LR, momentum .9,
                                                   decay 1e-4 on everything, no warm-up
In gradient and weight rows the background's rows of bbox_pred and mask_fcn_logits, which no loss
reaches, are left out of both sums; i still counts them.

Needs torch and torchvision (made with 2.15 and 0.29). Checks that no decision hangs on rounding:
float32, float64 and runs with disturbed weights must choose alike, else nothing is written.
"""
import sys
from pathlib import Path

import numpy as np
import torch
from torchvision.models.detection import MaskRCNN, _utils
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

SIZES = [(90, 120), (96, 101)]  # height, width
PADDED = (96, 128)
ELLIPSES = [  # per image: CX, CY, RX, RY in eighths of a pixel, class 1-3
    [(203, 195, 101, 77, 1), (611, 231, 157, 123, 2), (371, 509, 75, 149, 3), (797, 597, 83, 57, 1)],
    [(303, 391, 213, 259, 2), (671, 171, 67, 91, 3), (649, 613, 109, 85, 1)],
]
GAINS = {  # by the end of the name; keeps activations near 1 and proposals near their anchors
    ".conv2.weight": 0.3, "fpn.inner_blocks.0.0.weight": 0.5, "fpn.inner_blocks.1.0.weight": 0.5,
    "fpn.inner_blocks.2.0.weight": 0.5, "fpn.inner_blocks.3.0.weight": 0.5,
    "rpn.head.cls_logits.weight": 0.7, "rpn.head.bbox_pred.weight": 0.1,
    "box_predictor.cls_score.weight": 0.7, "box_predictor.bbox_pred.weight": 0.5,
    "mask_fcn_logits.weight": 0.5,
}
SETTINGS = dict(
    rpn_batch_size_per_image=48, rpn_pre_nms_top_n_train=60, rpn_pre_nms_top_n_test=60,
    rpn_post_nms_top_n_train=50, rpn_post_nms_top_n_test=50, box_batch_size_per_image=16,
    box_score_thresh=0.25, box_detections_per_img=20)
ANCHORS = tuple((size,) for size in (8, 16, 32, 64, 128))  # P2-P6; ratios .5, 1, 2
LR, STEPS = {"resnet18": 5e-5, "resnet50": 1e-5}, 10  # at four times the rate rounding
# grows a thousandfold within the ten steps
# The first images whose gradients do not hang on rounding, where a ReLU's input is almost 0.
IMAGES = {"resnet18": "image", "resnet50": "image3"}
LOSSES = ["loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask"]


def unit(name, count):
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    h = (seed + np.arange(count, dtype=np.uint64) * 0x9E3779B9) % 2**32
    h ^= h >> 16
    h = h * 0x85EBCA6B % 2**32
    h ^= h >> 13
    h = h * 0xC2B2AE35 % 2**32
    h ^= h >> 16
    return (h >> 8).astype(np.float64) / 2**23 - 1


def projection(name, tensor):
    """sum of squares and p(name), added in double."""
    x = tensor.detach().double().numpy().ravel()
    return float(x @ x), float(x @ unit(name, x.size))


def formula_weight(name, shape):
    u = unit(name, int(np.prod(shape))).reshape(shape)
    norm = ".bn" in name or ".downsample.1." in name
    if name.endswith("running_var"):
        return 1 + 0.5 * u
    if norm:
        return 1 + 0.2 * u if name.endswith("weight") else 0.1 * u
    if name.endswith("bias"):
        return 0.05 * u
    fan_in = shape[0] if "conv5_mask" in name else int(np.prod(shape[1:]))
    gain = next((GAINS[end] for end in GAINS if name.endswith(end)), 1.0)
    return gain * np.sqrt(6.0 / fan_in) * u


def formula_images(dtype, name):
    """The padded images and torchvision's targets."""
    images, targets = [], []
    for n, (height, width) in enumerate(SIZES):
        y, x = np.mgrid[0:height, 0:width] * 8 + 4
        masks = np.stack([(x - cx)**2 * ry**2 + (y - cy)**2 * rx**2 <= rx**2 * ry**2
                          for cx, cy, rx, ry, _ in ELLIPSES[n]])
        u = unit(f"{name}.{n}", 3 * height * width).reshape(3, height, width)
        pixels = np.float32(0.5 * u + np.where(masks.any(0), 1.0, -0.5))
        padded = np.zeros((3, *PADDED), np.float32)
        padded[:, :height, :width] = pixels
        boxes = [[(cx - rx) / 8, (cy - ry) / 8, (cx + rx) / 8, (cy + ry) / 8]
                 for cx, cy, rx, ry, _ in ELLIPSES[n]]
        images.append(torch.tensor(padded).to(dtype))
        targets.append({"boxes": torch.tensor(boxes, dtype=dtype),
                        "labels": torch.tensor([e[4] for e in ELLIPSES[n]]),
                        "masks": torch.tensor(masks.astype(np.uint8))})
    return ImageList(torch.stack(images), SIZES), targets


def first_of_each(self, matched_idxs):
    """In the place of BalancedPositiveNegativeSampler: the first by index, no chance."""
    positives, negatives = [], []
    for labels in matched_idxs:
        positive = torch.where(labels >= 1)[0][:int(self.batch_size_per_image
                                                    * self.positive_fraction)]
        negative = torch.where(labels == 0)[0][:self.batch_size_per_image - len(positive)]
        for chosen, masks in ((positive, positives), (negative, negatives)):
            mask = torch.zeros_like(labels, dtype=torch.uint8)
            mask[chosen] = 1
            masks.append(mask)
    return positives, negatives


def build(dtype, disturbance=0.0, name="resnet18"):
    torch.manual_seed(int(disturbance * 1e9))
    backbone = resnet_fpn_backbone(backbone_name=name, weights=None, trainable_layers=5)
    width = 64 if name == "resnet18" else 256
    backbone.fpn = FeaturePyramidNetwork([width, 2 * width, 4 * width, 8 * width], 32,
                                         LastLevelMaxPool())
    backbone.out_channels = 32
    model = MaskRCNN(
        backbone, rpn_anchor_generator=AnchorGenerator(ANCHORS, ((0.5, 1.0, 2.0),) * 5),
        rpn_head=RPNHead(32, 3), box_head=TwoMLPHead(32 * 49, 64),
        box_predictor=FastRCNNPredictor(64, 4), mask_head=MaskRCNNHeads(32, (32,) * 4, 1),
        mask_predictor=MaskRCNNPredictor(32, 32, 4), **SETTINGS)
    for name, tensor in model.state_dict().items():
        value = torch.tensor(np.float32(formula_weight(name, tensor.shape)))
        tensor.copy_(value * (1 + disturbance * torch.randn_like(value)))
    return model.to(dtype)


def sample_rois(model, images, targets):
    """What torchvision trains the heads on at step 0, boxes rounded to float32."""
    with torch.no_grad():
        features = model.backbone(images.tensors)
        proposals, _ = model.rpn(images, features, targets)
        boxes, matched, labels, _ = model.roi_heads.select_training_samples(proposals, targets)
    return [[box.float().tolist(), match.tolist(), label.tolist()]
            for box, match, label in zip(boxes, matched, labels)]


def losses_of(model, images, targets, rois):
    def given(proposals, targets):
        dtype = images.tensors.dtype
        boxes = [torch.tensor(r[0], dtype=dtype) for r in rois]
        matched, labels = ([torch.tensor(r[i]) for r in rois] for i in (1, 2))
        truth = [t["boxes"][m] for t, m in zip(targets, matched)]
        return boxes, matched, labels, model.roi_heads.box_coder.encode(truth, boxes)
    model.roi_heads.select_training_samples = given
    features = model.backbone(images.tensors)
    proposals, losses = model.rpn(images, features, targets)
    losses.update(model.roi_heads(features, proposals, images.image_sizes, targets)[1])
    return [losses[name] for name in LOSSES]


def inference_rows(model, images):
    features = model.backbone(images.tensors)
    logits, deltas = model.rpn.head(list(features.values()))
    for level, names in enumerate(zip(features.values(), logits, deltas)):
        for kind, tensor in zip(("feature", "rpn_logits", "rpn_deltas"), names):
            yield kind, level + 2, *projection(f"{kind}.{level + 2}", tensor)
    proposals, _ = model.rpn(images, features)
    for n, boxes in enumerate(proposals):
        for box in boxes.tolist():
            yield "proposal", n, *box
    found, _ = model.roi_heads(features, proposals, images.image_sizes)
    for n, result in enumerate(found):
        for i, box in enumerate(result["boxes"].tolist()):
            yield ("detection", n, *box, result["scores"][i].item(), result["labels"][i].item(),
                   *projection("mask", result["masks"][i]))


def sample_rows(model, images, targets):
    anchors = model.rpn.anchor_generator(images, list(model.backbone(images.tensors).values()))
    labels, _ = model.rpn.assign_targets_to_anchors(anchors, targets)
    for n, (positive, negative) in enumerate(zip(*model.rpn.fg_bg_sampler(labels))):
        yield "rpn_sample", n, 1, *torch.where(positive)[0].tolist()
        yield "rpn_sample", n, 0, *torch.where(negative)[0].tolist()


def parameter_row(kind, name, tensor):
    x, u = tensor.detach().double().numpy(), unit(f"{kind}.{name}", tensor.numel())
    u = u.reshape(x.shape)
    background = {"box_predictor.bbox_pred": 4, "mask_fcn_logits": 1}
    for part, rows in background.items():
        if part in name:
            x, u = x[rows:], u[rows:]
    return kind, name, float((x**2).sum()**0.5), float((x * u).sum())


def training_rows(model, images, targets, rois, rate):
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=1e-4)
    for step in range(STEPS):
        losses = losses_of(model, images, targets, rois)
        yield "loss", step, *[loss.item() for loss in losses]
        optimizer.zero_grad()
        sum(losses).backward()
        if step == 0:
            for name, value in model.named_parameters():
                yield parameter_row("gradient", name, value.grad)
        optimizer.step()
    for name, value in model.named_parameters():
        yield parameter_row("weight", name, value)


def rows_of(dtype, disturbance=0.0, rois=None, name="resnet18"):
    """All rows, and the RoIs trained on: those given, else this run's own."""
    torch.set_default_dtype(dtype)
    images, targets = formula_images(dtype, IMAGES[name])
    model = build(dtype, disturbance, name).eval()
    small = name == "resnet18"
    with torch.no_grad():
        rows = list(inference_rows(model, images)) if small else []
    model.train()
    rows += sample_rows(model, images, targets)
    rois = rois or sample_rois(model, images, targets)
    for n, (boxes, matched, labels) in enumerate(rois):
        rows += [("roi", n, *box, label, match)
                 for box, match, label in zip(boxes, matched, labels)]
    return rows + list(training_rows(model, images, targets, rois, LR[name])), rois


def decisions(rows):
    """What was chosen, without the numbers that vary smoothly."""
    return [row if row[0] == "rpn_sample" else row[:2] + row[7:8] for row in rows
            if row[0] in ("rpn_sample", "detection", "proposal")]


def largest_difference(rows, others, kind):
    pairs = [(a, b) for a, b in zip(rows, others) if a[0] == kind]
    return max(abs(x - y) / max(1, abs(x)) for a, b in pairs for x, y in zip(a, b)
               if isinstance(x, float))


def write(path, rows, digits):
    with open(path, "w", encoding="ascii") as out:
        out.write("# Made by tools/goldens/model.py, which explains every row.\n")
        for row in rows:
            out.write(" ".join(f"{x:.{digits}g}" if isinstance(x, float) else str(x)
                               for x in row) + "\n")


def main():
    _utils.BalancedPositiveNegativeSampler.__call__ = first_of_each
    rows, rois = rows_of(torch.float64)
    others = {"float32": rows_of(torch.float32, rois=rois)[0]}
    for disturbance in (1e-6, 2e-6, 3e-6):
        others[f"disturbed by {disturbance}"] = rows_of(torch.float64, disturbance, rois)[0]
    for name, run in others.items():
        for kind in ("feature", "proposal", "detection", "loss", "gradient", "weight"):
            print(f"{name}: {kind} differs by {largest_difference(rows, run, kind):.1e}")
        if decisions(run) != decisions(rows) or largest_difference(rows, run, "proposal") > 1e-2:
            sys.exit(f"model: a decision hangs on rounding ({name}); change a formula")
        if largest_difference(rows, run, "loss") > 5e-3:
            sys.exit(f"model: rounding grows from step to step ({name}); lower LR")
    folder = Path(__file__).resolve().parents[2] / "tests" / "goldens"
    folder.mkdir(exist_ok=True)
    write(folder / "model_f64.txt", rows, 12)
    write(folder / "model_f32.txt", others["float32"], 8)
    deep, rois = rows_of(torch.float64, name="resnet50")
    disturbed = rows_of(torch.float64, 1e-6, rois, "resnet50")[0]
    for kind in ("loss", "gradient", "weight"):
        print(f"resnet50 disturbed by 1e-6: {kind} differs by "
              f"{largest_difference(deep, disturbed, kind):.1e}")
    if largest_difference(deep, disturbed, "loss") > 5e-3:
        sys.exit("model: rounding grows from step to step on ResNet-50; lower LR")
    rounded = rows_of(torch.float32, rois=rois, name="resnet50")[0]
    print(f"resnet50 float32: gradient differs by {largest_difference(deep, rounded, 'gradient'):.1e}")
    if largest_difference(deep, rounded, "gradient") > 1e-5:
        sys.exit("model: a gradient hangs on rounding on ResNet-50; choose other images")
    write(folder / "model_r50.txt", deep, 10)


if __name__ == "__main__":
    main()
