#!/usr/bin/env python3
"""Predicts the time of detection and of a training step on a card that nobody here has: the roofline.

Usage: roofline.py [--check PAGE] | --self-test. Counts the multiply-adds and the bytes of every
kernel of Mask R-CNN R50-FPN from the shapes, as ops/cuda runs it, for one image of 704 x 544; a kernel
takes the longer of its arithmetic and its traffic, and no less than a launch. Prints a table;
--check fails when PAGE holds another one. A bound, not a measurement: no kernel reaches it.
"""
import sys
from collections import namedtuple
from pathlib import Path

WIDTH, HEIGHT = 704, 544
ROIS_TRAIN, POSITIVES, PROPOSALS, DETECTIONS, CLASSES = 512, 128, 1000, 100, 3
LAUNCH = 4e-6  # seconds from one queued kernel to the next

# Data sheets: f32 without tensor cores, f16 with them, memory. FLOP/s and bytes/s.
Card = namedtuple("Card", "name f32 f16 memory")
CARDS = [Card("T4", 8.1e12, 65e12, 320e9), Card("A100 40 GB", 19.5e12, 312e12, 1555e9),
         Card("H100 SXM", 67e12, 989e12, 3350e9)]

# One kernel: multiply-adds, elements moved to or from memory.
Kernel = namedtuple("Kernel", "name multiply_adds elements")


class Count:
    """The kernels of a pass, forward or with gradients."""

    def __init__(self, training):
        self.training, self.kernels, self.parameters = training, [], 0

    def add(self, name, multiply_adds, elements):
        self.kernels.append(Kernel(name, multiply_adds, elements))

    def product(self, name, rows, columns, depth, x=None, learned=True, first=False, residual=False):
        """rows x columns = rows x depth times depth x columns; x: elements of the left operand,
        which a convolution gathers, so that it is read once."""
        x = rows * depth if x is None else x
        out, weight = rows * columns, depth * columns
        work = rows * columns * depth
        self.add(name, work, x + weight + out * (2 if residual else 1))
        if not self.training or first:
            return
        self.add(name + " relu", 0, 3 * out)
        self.add(name + " data", work, x + weight + out)
        if learned:
            self.add(name + " weight", work, x + weight + out)
            self.add(name + " bias", 0, out)
            self.parameters += weight + columns

    def convolution(self, name, height, width, inputs, outputs, side, stride=1, **kind):
        """Gives the map that comes out."""
        h, w = -(-height // stride), -(-width // stride)
        self.product(name, h * w, outputs, side * side * inputs, x=height * width * inputs, **kind)
        return h, w


def backbone(count):
    """ResNet-50, stride in the 3x3; stem and res2 frozen."""
    h, w = count.convolution("stem", HEIGHT, WIDTH, 4, 64, 7, 2, first=True)
    count.add("pool", 0, h * w * 64 * 1.25)
    h, w, channels, maps = h // 2, w // 2, 64, []
    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], 2):
        frozen = {"first": stage == 2}
        for block in range(blocks):
            stride = 2 if stage > 2 and block == 0 else 1
            name = f"res{stage}.{block}"
            if block == 0:
                count.convolution(name + " shortcut", h, w, channels, 4 * width, 1, stride, **frozen)
            count.convolution(name + " reduce", h, w, channels, width, 1, **frozen)
            h2, w2 = count.convolution(name + " 3x3", h, w, width, width, 3, stride, **frozen)
            count.convolution(name + " expand", h2, w2, width, 4 * width, 1, residual=True, **frozen)
            h, w, channels = h2, w2, 4 * width
        maps.append((h, w, channels))
    return maps


def pyramid(count, maps):
    for i, (h, w, channels) in enumerate(maps, 2):
        count.convolution(f"lateral{i}", h, w, channels, 256, 1, residual=i < 5)
        count.convolution(f"output{i}", h, w, 256, 256, 3)
    levels = [(h, w) for h, w, _ in maps]
    h, w = levels[-1]
    levels.append((-(-h // 2), -(-w // 2)))
    for h, w in levels:
        count.convolution("rpn", h, w, 256, 256, 3)
        count.convolution("rpn outputs", h, w, 256, 15, 1)
        count.add("proposals", 0, 60 * h * w)


def head_rois(count, rois, size):
    """RoIAlign: four taps of each of four samples, of which a cache serves most."""
    count.add("roi align", rois * size * size * 256 * 16, rois * size * size * 256 * 2)
    if count.training:
        count.add("roi align gradient", rois * size * size * 256 * 16, rois * size * size * 256 * 5)


def heads(count):
    rois = ROIS_TRAIN if count.training else PROPOSALS
    masks = POSITIVES if count.training else DETECTIONS
    head_rois(count, rois, 7)
    count.product("fc6", rois, 1024, 256 * 49)
    count.product("fc7", rois, 1024, 1024)
    count.product("box outputs", rois, 5 * CLASSES + 1, 1024)
    head_rois(count, masks, 14)
    for i in range(4):
        count.product(f"mask{i + 1}", masks * 196, 256, 9 * 256, x=masks * 196 * 256)
    count.product("deconv", masks * 196, 4 * 256, 256)
    count.product("mask logits", masks * 784, CLASSES, 256)


def counted(training):
    count = Count(training)
    pyramid(count, backbone(count))
    heads(count)
    if training:  # read gradient twice (norm, step), read and write weight and velocity
        count.add("optimiser", 2 * count.parameters, 6 * count.parameters)
    return count.kernels


def seconds(kernels, card, bytes_each, peak):
    return sum(max(2 * k.multiply_adds / peak, k.elements * bytes_each / card.memory, LAUNCH)
               for k in kernels)


def table():
    lines = ["| pass | GFLOP | GB in f32 | " +
             " | ".join(f"{c.name}, f32 | f16" for c in CARDS) + " |",
             "|---" * (3 + 2 * len(CARDS)) + "|"]
    for name, training in [("detection", False), ("training step", True)]:
        kernels = counted(training)
        flop = 2 * sum(k.multiply_adds for k in kernels)
        moved = 4 * sum(k.elements for k in kernels)
        times = []
        for card in CARDS:
            times.append(seconds(kernels, card, 4, card.f32))
            times.append(seconds(kernels, card, 2, card.f16))
        cells = [name, f"{flop / 1e9:.0f}", f"{moved / 1e9:.1f}"]
        lines.append("| " + " | ".join(cells + [f"{1e3 * t:.1f} ms" for t in times]) + " |")
    return "\n".join(lines)


def self_test():
    one = [Kernel("a", 4.05e9, 0)]
    if abs(seconds(one, CARDS[0], 4, CARDS[0].f32) - 1e-3) > 1e-9:
        sys.exit("roofline self-test: arithmetic")
    if abs(seconds([Kernel("a", 0, 8e7)], CARDS[0], 4, CARDS[0].f32) - 1e-3) > 1e-9:
        sys.exit("roofline self-test: traffic")
    # The sums of the design's measurements: 275 GFLOP for detection without what has no products.
    flop = 2 * sum(k.multiply_adds for k in counted(False) if not k.name.startswith("roi")) / 1e9
    if not 265 < flop < 285:
        sys.exit(f"roofline self-test: detection has {flop} GFLOP")
    print("roofline self-test: clean")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    made = table()
    if sys.argv[1:2] == ["--check"]:
        if made not in Path(sys.argv[2]).read_text(encoding="utf-8"):
            sys.exit(f"{sys.argv[2]}: holds another table than tools/roofline.py prints:\n{made}")
        print("roofline: the table is up to date")
    else:
        print(made)


if __name__ == "__main__":
    main()
