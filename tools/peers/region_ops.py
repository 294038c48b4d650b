"""torchvision's and pycocotools' twins of the ops that `soma bench ops` times on regions.

The boxes are those of ops/bench_regions.cpp, by the same formula.
"""
import numpy as np
import torch
from pycocotools import mask as codes
from torchvision import ops
from torchvision.models.detection.roi_heads import paste_masks_in_image

HEIGHT, WIDTH, CHANNELS = 544, 704, 256


def spread(count, k):
    steps = (7919, 6007, 4129, 2311, 5209)
    return ((np.arange(count) + 1) * steps[k] % 10007 / 10007).astype(np.float32)


def boxes_of(count, least, most):
    width = least + (most - least) * spread(count, 2)
    height = least + (most - least) * spread(count, 3)
    x, y = spread(count, 0) * (WIDTH - width), spread(count, 1) * (HEIGHT - height)
    return torch.from_numpy(np.stack([x, y, x + width, y + height], 1))


def soft_masks(count):
    axis = torch.arange(28) / 28 - 0.48
    one = (1 - 2.5 * (axis[:, None]**2 + axis[None]**2) / 0.5).clamp(min=0)
    return one.expand(count, 1, 28, 28).contiguous()


def twins():
    """{name in soma's table: what torchvision does}."""
    pooler = ops.MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)
    maps = {str(level): torch.ones(1, CHANNELS, HEIGHT // stride, WIDTH // stride)
            for level, stride in enumerate((4, 8, 16, 32))}
    rois, many, places = boxes_of(1000, 16, 300), boxes_of(4000, 20, 100), boxes_of(1000, 100, 140)
    scores, masks = torch.from_numpy(spread(4000, 4)), soft_masks(1000)

    def run_lengths():
        pasted = paste_masks_in_image(masks, places, (HEIGHT, WIDTH))[:, 0] >= 0.5
        return [codes.encode(np.asfortranarray(mask)) for mask in pasted.numpy().astype(np.uint8)]

    return {"RoIAlign 1000 x 7 x 7": lambda: pooler(maps, [rois], [(HEIGHT, WIDTH)]),
            "NMS of 4000": lambda: ops.nms(many, scores, 0.5),
            "run lengths of 1000": run_lengths}
