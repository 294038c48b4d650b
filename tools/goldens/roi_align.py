"""Writes tests/goldens/roi_align.h: what torchvision.ops.roi_align gives.

Run: /opt/venv/bin/python tools/goldens/roi_align.py  (from the repository root)
"""
import textwrap

import torch
import torchvision

images, channels, height, width, size = 2, 3, 9, 11, 3
n, c, y, x = torch.meshgrid(*map(torch.arange, (images, channels, height, width)), indexing="ij")
features = ((n * 7 + c * 5 + y * 13 + x * 3 + x * y * 2) % 17 - 8) / 8.0
rois = torch.tensor([
    [0, 3, 2, 21, 15],        # inside
    [1, -9, -7, 12, 9],       # over the top left corner
    [1, 15, 9, 40, 33],       # over the bottom right corner
    [0, 5.25, 6.5, 5.75, 7],  # smaller than a cell
    [0, 8, 8, 8, 8],          # without extent
    [1, 0, 0, 22, 18],        # the whole map
    [0, 12, 9, 4, 5],         # inverted
    [1, 60, 60, 70, 70],      # outside
])
with open("tests/goldens/roi_align.h", "w") as out:
    out.write("// Made by tools/goldens/roi_align.py with torchvision " + torchvision.__version__ +
              ".\n#pragma once\n\nnamespace soma::golden {\n\n"
              "// rois (image, x1, y1, x2, y2) at scale .5 on maps [2, 9, 11, 3] (NHWC) of\n"
              "// ((7 n + 5 c + 13 y + 3 x + 2 x y) mod 17 - 8) / 8.\n"
              "inline constexpr float kRois[][5] = {\n")
    out.writelines("    {%s},\n" % ", ".join("%g" % v for v in roi) for roi in rois.tolist())
    out.write("};\n\nstruct RoiAlignGolden {\n  bool aligned;\n  int sampling_ratio;\n"
              "  double pooled[8 * 3 * 3 * 3];  // NHWC\n};\n"
              "inline constexpr RoiAlignGolden kRoiAlign[] = {\n")
    for aligned in (False, True):
        for ratio in (0, 2):
            pooled = torchvision.ops.roi_align(features, rois, size, 0.5, ratio, aligned)
            values = pooled.permute(0, 2, 3, 1).flatten().tolist()
            out.write("    {%s,\n     %d,\n     {" % (str(aligned).lower(), ratio))
            out.write(textwrap.fill(", ".join("%.7g" % v for v in values), 92,
                                    subsequent_indent="      ") + "}},\n")
    out.write("};\n\n}  // namespace soma::golden\n")
