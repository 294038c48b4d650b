"""Writes tests/goldens/paste_masks.h: masks pasted by torchvision, and by detectron2's formula
(layers/mask_ops.py, _do_paste_mask) written out with torch's grid_sample.

Run: /opt/venv/bin/python tools/goldens/paste_masks.py  (from the repository root)
"""
import textwrap

import torch
import torchvision
from torchvision.models.detection.roi_heads import paste_masks_in_image

height, width, size = 30, 40, 6
boxes = torch.tensor([
    [4, 5, 20, 21],              # whole pixels
    [10.3, 8.6, 33.9, 25.2],
    [-6.7, -9.1, 12.4, 10.8],    # over the top left corner
    [28.2, 19.5, 47.3, 41.6],    # over the bottom right corner
    [15.2, 12.7, 16.1, 13.4],    # smaller than a pixel
    [7.5, 2.25, 10.75, 28.5],    # narrow
    [-60, -50, 90, 80],          # around the image
])
k, i, j = torch.meshgrid(*map(torch.arange, (len(boxes), size, size)), indexing="ij")
masks = ((7 * k + 5 * i + 3 * j + i * j) % 33) / 32.0


def detectron2_paste(masks, boxes):
    x0, y0, x1, y1 = torch.split(boxes, 1, dim=1)
    y = (torch.arange(height) + 0.5 - y0) / (y1 - y0) * 2 - 1
    x = (torch.arange(width) + 0.5 - x0) / (x1 - x0) * 2 - 1
    n = len(boxes)
    grid = torch.stack([x[:, None, :].expand(n, height, width),
                        y[:, :, None].expand(n, height, width)], 3)
    return torch.nn.functional.grid_sample(masks[:, None], grid, align_corners=False)[:, 0]


def runs(mask):
    flat = torch.cat([torch.zeros(1), mask.flatten().float(), torch.zeros(1)])
    change = torch.nonzero(flat[1:] != flat[:-1]).flatten().tolist()
    return change  # begin, end, begin, end, ...


with open("tests/goldens/paste_masks.h", "w") as out:
    out.write("// Made by tools/goldens/paste_masks.py with torchvision " + torchvision.__version__ +
              ".\n#pragma once\n#include <vector>\n\nnamespace soma::golden {\n\n"
              "// Boxes on a 30 x 40 image; masks 6 x 6 of ((7 k + 5 i + 3 j + i j) mod 33) / 32.\n"
              "inline const std::vector<float> kPasteBoxes = {\n")
    out.writelines("    %s,\n" % ", ".join("%gf" % v if v % 1 else "%d" % v for v in box)
                   for box in boxes.tolist())
    out.write("};\n\nstruct PasteGolden {\n  double mean;            // probability inside\n"
              "  std::vector<int> runs;  // begin, end, begin, end, ... row-major, at >= .5\n};\n")
    soft = {"kPasteTorchvision": paste_masks_in_image(masks[:, None], boxes, (height, width))[:, 0],
            "kPasteDetectron2": detectron2_paste(masks, boxes)}
    for name, pasted in soft.items():
        out.write(f"inline const std::vector<PasteGolden> {name} = {{\n")
        for mask in pasted:
            inside = mask >= 0.5
            mean = mask[inside].double().mean().item() if inside.any() else 0
            text = "{%.7g, {%s}}," % (mean, ", ".join(map(str, runs(inside))))
            out.write(textwrap.fill(text, 96, initial_indent="    ", subsequent_indent="     ") + "\n")
        out.write("};\n")
        near = (pasted - 0.5).abs()
        print(name, "closest to the threshold:", near[near > 0].min().item(),
              "ties:", (near == 0).sum().item())
    out.write("\n}  // namespace soma::golden\n")
