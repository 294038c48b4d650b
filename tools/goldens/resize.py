#!/usr/bin/env python3
"""Writes tests/goldens/resize.txt: what Pillow and torch make of a made-up image at several sizes.

Needs torch, Pillow and numpy (a development environment, never the product):
    python3 tools/goldens/resize.py > tests/goldens/resize.txt
Lines: `pillow C h w H W fnv1a64-of-the-bytes`, `torch C h w H W (y x c value)...`,
`pillow_nearest in out index...`, `torch_nearest in out index...`,
`torchvision_size h w min max H W`, `detectron2_size h w min max H W`.
"""
import numpy as np
import torch
import torchvision.models.detection.transform as tv
from PIL import Image

SIZES = [(9, 13, 9, 13), (9, 13, 20, 31), (20, 31, 9, 13), (64, 48, 31, 97), (1, 1, 5, 3),
         (1, 40, 3, 7), (97, 120, 97, 60), (97, 120, 33, 120), (130, 176, 200, 271),
         (130, 176, 17, 23)]


def picture(height, width, channels):
    """The same numbers as noise_picture() in the test."""
    y, x, c = np.meshgrid(np.arange(height, dtype=np.uint32), np.arange(width, dtype=np.uint32),
                          np.arange(channels, dtype=np.uint32), indexing="ij")
    v = y * np.uint32(7919) + x * np.uint32(104729) + c * np.uint32(1299709)
    v = v * np.uint32(2654435761)
    v ^= v >> np.uint32(15)
    v = v * np.uint32(2246822519)
    return ((v >> np.uint32(13)) & np.uint32(255)).astype(np.uint8)


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def d2_size(height, width, short, longest):
    """ResizeShortestEdge.get_output_shape of detectron2, restated."""
    scale = short / min(height, width)
    new = (short, scale * width) if height < width else (scale * height, short)
    if max(new) > longest:
        shrink = longest / max(new)
        new = (new[0] * shrink, new[1] * shrink)
    return int(new[0] + 0.5), int(new[1] + 0.5)


def main():
    for channels in (1, 3):
        for h, w, H, W in SIZES:
            a = picture(h, w, channels)
            image = Image.fromarray(a[:, :, 0] if channels == 1 else a)
            # Across, then down: Pillow 13 turns the order round for some tall images.
            out = image.resize((W, h), Image.BILINEAR).resize((W, H), Image.BILINEAR)
            out = np.asarray(out)
            print("pillow", channels, h, w, H, W, fnv(out.tobytes()))
            t = torch.from_numpy(a).permute(2, 0, 1)[None].float()
            t = torch.nn.functional.interpolate(t, size=(H, W), mode="bilinear",
                                                align_corners=False)[0]
            points = [((i * 37) % H, (i * 101) % W, i % channels) for i in range(12)]
            print("torch", channels, h, w, H, W,
                  *[f"{y} {x} {c} {t[c, y, x].item():.9g}" for y, x, c in points])
    for n, m in [(1, 3), (5, 5), (7, 20), (20, 7), (97, 799), (704, 1083), (520, 333), (31, 1000)]:
        row = np.arange(n, dtype=np.int32)
        pil = np.asarray(Image.fromarray(row[None]).resize((m, 1), Image.NEAREST))[0]
        print("pillow_nearest", n, m, *pil)
        t = torch.nn.functional.interpolate(torch.arange(n).float()[None, None], size=(m,),
                                            mode="nearest")
        print("torch_nearest", n, m, *t[0, 0].int().tolist())
    for h, w, short, longest in [(480, 640, 800, 1333), (97, 120, 800, 1333), (520, 704, 928, 1333),
                                 (100, 1000, 800, 1333), (1000, 37, 640, 1333), (33, 33, 7, 900)]:
        out = tv._resize_image_and_masks(torch.zeros(1, h, w), short, longest)[0]
        print("torchvision_size", h, w, short, longest, *out.shape[1:])
        print("detectron2_size", h, w, short, longest, *d2_size(h, w, short, longest))


if __name__ == "__main__":
    main()
