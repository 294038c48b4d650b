"""Writes tests/goldens/nms.h: boxes and what torchvision.ops.batched_nms keeps of them.

Run: /opt/venv/bin/python tools/goldens/nms.py  (from the repository root)
"""
import textwrap

import torch
import torchvision

generator = torch.Generator().manual_seed(7)
count, groups = 120, 3


def integers(low, high, *shape):
    return torch.randint(low, high, shape, generator=generator)


corner = integers(0, 25, count, 2)
boxes = torch.cat([corner, corner + integers(12, 24, count, 2)], 1)
scores = torch.randperm(count, generator=generator)  # no ties: torchvision's order of them varies
group = integers(0, groups, count)
kept = torchvision.ops.batched_nms(boxes.float(), scores.float(), group, 0.4)
rows = torch.cat([boxes, scores[:, None], group[:, None]], 1).tolist()
with open("tests/goldens/nms.h", "w") as out:
    out.write("// Made by tools/goldens/nms.py with torchvision " + torchvision.__version__ + ".\n"
              "#pragma once\n#include <cstdint>\n\nnamespace soma::golden {\n\n"
              "// x1, y1, x2, y2, score, group; kept at threshold 0.4, best first.\n"
              "inline constexpr int32_t kNmsBoxes[][6] = {\n")
    out.writelines("    {%s},\n" % ", ".join(map(str, row)) for row in rows)
    kept_rows = textwrap.fill(", ".join(map(str, kept.tolist())), 90, initial_indent="    ",
                              subsequent_indent="    ")
    out.write("};\ninline constexpr int32_t kNmsKept[] = {\n" + kept_rows + "};\n\n"
              "}  // namespace soma::golden\n")
