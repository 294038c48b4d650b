#!/usr/bin/env python3
"""Writes tests/goldens/weights/: tiny checkpoints in every form that users have.

Element k of a tensor, counted in row-major order of its shape, is k / 2 - 3 (floating point) or k
(integers, bool: k odd). How the file lays it out (views, strides, offsets, Fortran order) varies.

  zip.pth        torch.save of a checkpoint as training scripts write it: `model` with the prefix
                 `module.`, and beside it an optimiser, a scheduler (its milestones are a Counter),
                 an argparse.Namespace and an epoch
  bare.pth       the state dict alone, without checksums
  legacy.pth     the checkpoint in the form before torch 1.6
  numpy_N.pkl    detectron2's model zoo: {"model", "__author__", "matching_heuristics"} of numpy
                 arrays in pickle protocol N = 2, 4, 5
  python2.pkl    as Python 2 wrote it (Caffe2's blobs): texts and elements are byte strings
  bool.safetensors   the safetensors package's own bytes for float, half, bfloat16, int64 and bool

Needs torch, numpy and safetensors (made with torch 2.15, numpy 2.4).
"""
import argparse
import collections
import pickle
import struct
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "goldens" / "weights"


def values(*shape):
    return (torch.arange(int(np.prod(shape))) / 2 - 3).reshape(shape)


def state_dict():
    shared = values(4)
    wide = torch.full((4, 8), 99.0)
    wide[1:3, 1:7:2] = values(2, 3)
    return collections.OrderedDict(
        dense=values(2, 3, 2, 2), transposed=values(3, 2).t().contiguous().t(),
        window=wide[1:3, 1:7:2], half=values(5).half(), brain=values(2, 2).bfloat16(),
        double=values(3).double(), count=torch.tensor(0), ints=torch.arange(3, dtype=torch.int32),
        bytes=torch.arange(4, dtype=torch.uint8), flags=torch.arange(3) % 2 == 1,
        empty=torch.zeros(0, 4), scalar=torch.tensor(-3.0),
        parameter=torch.nn.Parameter(values(2)), tied=shared, tied_too=shared,
        rows=torch.cat([torch.zeros(2, 2), values(1, 2)])[2:])


def checkpoint():
    module = collections.OrderedDict(("module." + name, x) for name, x in state_dict().items())
    parameter = torch.nn.Parameter(values(2))
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    parameter.grad = values(2)
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    return {"model": module, "optimizer": optimizer.state_dict(),
            "lr_scheduler": scheduler.state_dict(), "args": argparse.Namespace(lr=0.1, out="runs"),
            "epoch": 7}


def arrays():
    result = {name: x.detach().numpy() for name, x in state_dict().items() if name != "brain"}
    result["transposed"] = np.asfortranarray(result["transposed"])
    return result


def python2():
    """{"blobs": {...}} with SHORT_BINSTRING and BINSTRING, as cPickle's protocol 2."""
    def word(s):
        return b"U" + struct.pack("B", len(s)) + s
    out = b"\x80\x02}" + word(b"blobs") + b"}("
    for name, x in [(b"conv1_w", values(2, 3)), (b"conv1_b", values(2))]:
        array = np.asarray(x)
        shape = b"".join(b"K" + struct.pack("B", n) for n in array.shape)
        out += (word(name) + b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0t"
                + word(b"b") + b"tR(K\1(" + shape + b"tcnumpy\ndtype\n(" + word(b"f4")
                + b"K\0K\1tR(K\3" + word(b"<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89T"
                + struct.pack("<i", array.nbytes) + array.tobytes() + b"tb")
    return out + b"us."


def main():
    from safetensors.torch import save_file
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.save(checkpoint(), FOLDER / "zip.pth")
    torch.save(checkpoint(), FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    torch.save(state_dict(), FOLDER / "bare.pth")
    zoo = {"model": arrays(), "__author__": "somebody", "matching_heuristics": True}
    for protocol in (2, 4, 5):
        (FOLDER / f"numpy_{protocol}.pkl").write_bytes(pickle.dumps(zoo, protocol=protocol))
    (FOLDER / "python2.pkl").write_bytes(python2())
    kept = ("dense", "half", "brain", "count", "flags", "empty", "scalar")
    save_file({name: x for name, x in state_dict().items() if name in kept},
              FOLDER / "bool.safetensors", {"format": "pt"})


if __name__ == "__main__":
    main()
