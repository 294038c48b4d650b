#!/usr/bin/env python3
"""Counts what torchvision's Mask R-CNN R50-FPN asks of a device in one training step: the operators
that compute, as torch's profiler sees them; on a GPU each is a kernel at least.

Counted are operators that call no other that computes. Left out are views, allocations and
questions about tensors (FREE). The step is forward, backward and SGD in its multi-tensor form, of
which each call counts once; the norms are frozen, as in the model with pretrained weights.
Prints the count, and the most frequent names with --list; --check LAUNCHES fails when LAUNCHES, a
step of soma's, is more than 60 % of it.

Usage: count_operators.py [--size 128] [--list] [--check LAUNCHES]. Needs torch and torchvision.
"""
import argparse
import sys
from collections import Counter

import torch
from torchvision.models import resnet50
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.ops.misc import FrozenBatchNorm2d

MOST = 0.6
# Views, allocations, and what only the host does.
FREE = set("""view _unsafe_view reshape _reshape_alias alias as_strided transpose t permute expand
    expand_as unsqueeze squeeze squeeze_ unsqueeze_ select slice narrow split split_with_sizes chunk
    unbind detach detach_ view_as flatten broadcast_tensors broadcast_to meshgrid as_strided_
    resolve_conj resolve_neg contiguous to
    empty empty_like empty_strided new_empty new_empty_strided resize_ resize_as_ set_ lift_fresh
    item _local_scalar_dense is_nonzero result_type _nnpack_available""".split())

# Count once whatever the CPU makes of them.
WHOLE = {"convolution", "convolution_backward"}


def training_step(size):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    backbone = _resnet_fpn_extractor(resnet50(weights=None, norm_layer=FrozenBatchNorm2d), 3)
    model = MaskRCNN(backbone, num_classes=4, min_size=size, max_size=size)
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=1e-4, momentum=0.9, weight_decay=1e-4, foreach=True)
    mask = torch.zeros(2, size, size, dtype=torch.uint8)
    mask[0, 8:40, 8:40], mask[1, 50:90, 60:110] = 1, 1
    target = {"boxes": torch.tensor([[8.0, 8, 40, 40], [60, 50, 110, 90]]),
              "labels": torch.tensor([1, 2]), "masks": mask}

    def step():
        losses = model([torch.rand(3, size, size)], [target])
        sum(losses.values()).backward()
        optimizer.step()
        optimizer.zero_grad()
    return step


def computing(event):
    """Names of the operators of an event that compute and call none that does."""
    name = event.name.split("::")[-1]
    if name.startswith("_foreach_") or name in WHOLE:
        return [name]
    inner = [found for child in event.cpu_children for found in computing(child)]
    own = event.name.startswith(("aten::", "torchvision::")) and name not in FREE
    return inner or ([name] if own else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--check", type=int)
    options = parser.parse_args()
    step = training_step(options.size)
    step()  # momentum buffers are made here
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        step()
    roots = [event for event in profile.events() if event.cpu_parent is None]
    counts = Counter(name for event in roots for name in computing(event))
    total = sum(counts.values())
    for name, count in counts.most_common() if options.list else []:
        print(f"{count:6} {name}")
    print(f"torchvision {total} operators that compute in a training step")
    if options.check is not None:
        share = options.check / total
        print(f"soma {options.check} launches, {100 * share:.0f} % (at most {100 * MOST:.0f} %)")
        sys.exit(share > MOST)


if __name__ == "__main__":
    main()
