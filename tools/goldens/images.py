#!/usr/bin/env python3
"""Makes tests/goldens/images.txt: small image files of every kind and the pixels that reading them
must give.

PNG files are put together here (every depth, colour type and interlace), the others by Pillow and
tifffile. Lines: "NAME USE ERROR HEIGHT WIDTH CHANNELS PIXELS FILE"; USE is picture or labels, ERROR
the largest allowed difference, PIXELS and FILE are hexadecimal (labels have 8 digits each).
"""
import io
import os
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image

rng = np.random.default_rng(3)
HEIGHT, WIDTH = 7, 9
lines = []


def emit(name, use, file, pixels, error=0):
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    kind = ">u4" if use == "labels" else "u1"
    text = np.ascontiguousarray(pixels).astype(kind).tobytes().hex()
    size = " ".join(map(str, pixels.shape))
    lines.append(f"{name} {use} {error} {size} {text} {file.hex()}")


def scaled(samples):
    samples = samples.astype(np.float64)
    low, high = np.percentile(samples[np.isfinite(samples)], [0.1, 99.9])
    unit = np.clip((samples - low) / (high - low), 0, 1)
    return np.rint(np.nan_to_num(unit) * 255)


def png_rows(samples, depth):
    """Filter byte 0 and packed samples of each row; samples [rows, columns, channels]."""
    rows = b""
    for row in samples.reshape(samples.shape[0], -1):
        if depth == 16:
            data = row.astype(">u2").tobytes()
        elif depth == 8:
            data = row.astype("u1").tobytes()
        else:
            bits = "".join(format(int(v), f"0{depth}b") for v in row)
            bits += "0" * (-len(bits) % 8)
            data = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
        rows += b"\0" + data
    return rows


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
         (1, 0, 2, 1)]


def png(samples, depth, colour, interlace, more=b""):
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, colour, 0, 0,
                         interlace)
    if interlace:
        passes = [samples[y::dy, x::dx] for y, x, dy, dx in ADAM7]
        data = b"".join(png_rows(p, depth) for p in passes if p.size)
    else:
        data = png_rows(samples, depth)
    packed = zlib.compress(data)
    half = len(packed) // 2
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", packed[:half])
            + chunk(b"IDAT", packed[half:]) + chunk(b"tEXt", b"Title\0cells") + chunk(b"IEND", b""))


def pngs():
    for interlace in (0, 1):
        for depth in (1, 2, 4, 8, 16):
            gray = rng.integers(0, 2**depth, (HEIGHT, WIDTH, 1))
            name = f"png-gray{depth}-{interlace}"
            picture = scaled(gray) if depth == 16 else gray * 255 // (2**depth - 1)
            transparent = chunk(b"tRNS", struct.pack(">H", int(gray[0, 0, 0])))
            emit(name, "picture", png(gray, depth, 0, interlace), picture)
            emit(name + "-trns", "picture", png(gray, depth, 0, interlace, transparent), picture)
            emit(name, "labels", png(gray, depth, 0, interlace), gray)
            if depth < 16:
                colours = rng.integers(0, 256, (2**depth, 3))
                more = chunk(b"PLTE", colours.astype("u1").tobytes())
                if interlace:
                    more += chunk(b"tRNS", b"\x07")
                file = png(gray, depth, 3, interlace, more)
                emit(f"png-palette{depth}-{interlace}", "picture", file, colours[gray[..., 0]])
                emit(f"png-palette{depth}-{interlace}", "labels", file, gray)
            if depth >= 8:
                for colour, channels, kept in ((2, 3, 3), (4, 2, 1), (6, 4, 3)):
                    samples = rng.integers(0, 2**depth, (HEIGHT, WIDTH, channels))
                    left = samples[..., :kept]
                    emit(f"png-colour{colour}-{depth}-{interlace}", "picture",
                         png(samples, depth, colour, interlace),
                         scaled(left) if depth == 16 else left)
    one = np.array([[[200]]])
    emit("png-one-pixel", "picture", png(one, 8, 0, 0), one)
    flat = np.full((3, 4, 1), 1234)
    emit("png-flat16", "picture", png(flat, 16, 0, 0), flat * 0)


def pillows():
    y, x = np.mgrid[0:24, 0:40]
    smooth = np.stack([5 * x + y, 255 - 5 * x, 8 * y], 2).astype("u1")
    for name, pixels, options in (
            ("jpeg-gray", smooth[..., 0], {"format": "JPEG", "quality": 98}),
            ("jpeg-rgb", smooth, {"format": "JPEG", "quality": 98, "subsampling": 0}),
            ("jpeg-420", smooth, {"format": "JPEG", "quality": 98}),
            ("jpeg-progressive", smooth, {"format": "JPEG", "quality": 98, "progressive": True}),
            ("jpeg-restart", smooth, {"format": "JPEG", "quality": 98, "restart_marker_blocks": 2}),
            ("bmp-rgb", smooth[:5, :7], {"format": "BMP"}),
            ("tiff-jpeg", smooth, {"format": "TIFF", "compression": "jpeg", "quality": 98}),
            ("tiff-lzw", smooth[:7, :9], {"format": "TIFF", "compression": "tiff_lzw"})):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, **options)
        emit(name, "picture", file.getvalue(), pixels, 12 if "jpeg" in name else 0)
    file = io.BytesIO()
    Image.fromarray(smooth[:5, :7, 0]).save(file, format="BMP")
    emit("bmp-gray", "picture", file.getvalue(), np.repeat(smooth[:5, :7, :1], 3, 2))
    colours = rng.integers(0, 256, (256, 3)).astype("u1")
    image = Image.fromarray(smooth[:5, :7, 0], "P")
    image.putpalette(colours.tobytes())
    for kind in ("BMP", "TIFF"):
        file = io.BytesIO()
        image.save(file, format=kind)
        emit(f"{kind.lower()}-palette", "picture", file.getvalue(), colours[smooth[:5, :7, 0]])
    emit("tiff-palette", "labels", file.getvalue(), smooth[:5, :7, 0])


def tiff(samples, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, samples, metadata=None, **options)
    return file.getvalue()


def tiffs():
    for kind in ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"):
        samples = rng.integers(0, 120, (HEIGHT, WIDTH)).astype(kind)
        emit(f"tiff-{kind}", "labels", tiff(samples, photometric="minisblack"), samples)
        for channels, photometric in ((1, "minisblack"), (3, "rgb")):
            samples = rng.integers(0, 101, (HEIGHT, WIDTH, channels))
            if kind[0] in "if":
                samples -= 50
            if kind[0] == "f":
                samples = samples / 8
            samples = samples.astype(kind)
            picture = samples if kind == "u1" else scaled(samples)
            flat = samples if channels == 3 else samples[..., 0]
            emit(f"tiff-{kind}-{channels}", "picture", tiff(flat, photometric=photometric), picture)
    gray = rng.integers(0, 256, (HEIGHT, WIDTH)).astype("u1")
    rgb = rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype("u1")
    rgba = rng.integers(0, 256, (HEIGHT, WIDTH, 4)).astype("u1")
    large = rng.integers(0, 256, (20, 37, 3)).astype("u1")
    deep = rng.integers(0, 65536, (HEIGHT, WIDTH)).astype("u2")
    emit("tiff-rgba", "picture", tiff(rgba, photometric="rgb", extrasamples=["unassalpha"]),
         rgba[..., :3])
    emit("tiff-gray-alpha", "picture",
         tiff(rgba[..., :2], photometric="minisblack", planarconfig="contig"), rgba[..., :1])
    emit("tiff-five-channels", "picture",
         tiff(np.concatenate([rgb, rgba[..., :2]], 2), photometric="minisblack",
              planarconfig="contig"), rgb)
    emit("tiff-planes", "picture",
         tiff(rgb.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate"), rgb)
    emit("tiff-planes-deflate", "picture",
         tiff(rgb.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate",
              compression="zlib", rowsperstrip=2), rgb)
    emit("tiff-strips", "picture", tiff(rgb, photometric="rgb", rowsperstrip=3), rgb)
    emit("tiff-tiles", "picture", tiff(large, photometric="rgb", tile=(16, 16)), large)
    emit("tiff-tiles-planes", "picture",
         tiff(large.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate",
              tile=(16, 32), compression="zlib"), large)
    emit("tiff-white", "picture", tiff(gray, photometric="miniswhite"), 255 - gray)
    emit("tiff-white16", "picture", tiff(deep, photometric="miniswhite"), scaled(65535 - deep))
    emit("tiff-big-endian", "picture", tiff(deep, photometric="minisblack", byteorder=">"),
         scaled(deep))
    emit("tiff-bigtiff", "picture", tiff(deep, photometric="minisblack", bigtiff=True),
         scaled(deep))
    emit("tiff-pages", "picture", tiff(np.stack([deep, deep.T.reshape(deep.shape)]),
                                       photometric="minisblack"), scaled(deep))
    holed = rng.normal(size=(HEIGHT, WIDTH)).astype("f4")
    holed[0, :3] = np.nan, np.inf, -np.inf
    emit("tiff-nan", "picture", tiff(holed, photometric="minisblack"), scaled(holed))
    labels = rng.integers(0, 2**32, (HEIGHT, WIDTH)).astype("u4")
    emit("tiff-labels32", "labels", tiff(labels, photometric="minisblack"), labels)


pngs()
pillows()
tiffs()
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
with open(os.path.join(root, "tests", "goldens", "images.txt"), "w") as out:
    out.write("\n".join(lines) + "\n")
