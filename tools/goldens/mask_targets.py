"""Writes tests/goldens/mask_targets.h: torchvision's mask targets, and detectron2's before its
threshold (the same operator, aligned).

Run: /opt/venv/bin/python tools/goldens/mask_targets.py  (from the repository root)
"""
import textwrap

import torch
import torchvision
from torchvision.models.detection.roi_heads import project_masks_on_boxes

height, width, size = 40, 50, 7
y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
mask = (4 * (x - 20) ** 2 + 9 * (y - 17) ** 2 < 1300) & ((x + y) % 5 > 0)
boxes = torch.tensor([
    [2, 5, 39, 30],            # tight
    [5.25, 8.5, 30.75, 27.5],  # inside
    [-6, -4, 20, 22],          # over the top left corner
    [30, 20, 61, 47],          # over the bottom right corner
    [18.5, 15.25, 20, 16],     # smaller than the grid
    [45, 36, 48, 39],          # beside the mask
])
soft = project_masks_on_boxes(mask[None].to(torch.uint8), boxes, torch.zeros(len(boxes)), size)
rois = torch.cat([torch.zeros(len(boxes), 1), boxes], 1)
aligned = torchvision.ops.roi_align(mask[None, None].float(), rois, size, 1.0, 0, True)[:, 0]
with open("tests/goldens/mask_targets.h", "w") as out:
    out.write("// Made by tools/goldens/mask_targets.py with torchvision " + torchvision.__version__ +
              ".\n#pragma once\n\nnamespace soma::golden {\n\n"
              "// boxes on the 40 x 50 mask of the pixels with (x + y) mod 5 > 0 and\n"
              "// 4 (x - 20)^2 + 9 (y - 17)^2 < 1300; targets 7 x 7.\n"
              "inline constexpr float kMaskBoxes[][4] = {\n")
    out.writelines("    {%s},\n" % ", ".join("%g" % v for v in box) for box in boxes.tolist())
    out.write("};\n")
    for name, values in (("kMaskTargets", soft), ("kMaskTargetsAligned", aligned)):
        out.write(f"inline constexpr double {name}[] = {{\n" + textwrap.fill(
            ", ".join("%.7g" % v for v in values.flatten().tolist()), 96, initial_indent="    ",
            subsequent_indent="    ") + "};\n")
    out.write("\n}  // namespace soma::golden\n")
