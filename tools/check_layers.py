#!/usr/bin/env python3
"""Checks which folder includes which: the layers of the architecture, as one table.

Usage: check_layers.py [ROOT] | --self-test. Reads every C++ and CUDA file below the folders of the
table; quoted includes are paths from the root. Prints one line per offence and exits 1.
"""
import re
import sys
import tempfile
from pathlib import Path

CHAIN = ["base", "masks", "tensor", "autograd", "ops", "nn", "models", "ensemble", "run",
         "pages"]
LEAVES = ["data", "evaluation", "weights", "distributed"]  # beside the chain: files and numbers

# folder -> folders it may include beside itself
MAY_SEE = {layer: set(CHAIN[:i]) for i, layer in enumerate(CHAIN)}
MAY_SEE.update({leaf: {"base", "masks", "tensor"} for leaf in LEAVES})
MAY_SEE["models"] |= {"weights"}  # the name maps of other frameworks' files stand beside the model
MAY_SEE["ensemble"] |= set(LEAVES)
MAY_SEE["run"] |= set(LEAVES)
MAY_SEE["pages"] |= set(LEAVES)
MAY_SEE["apps"] = MAY_SEE["capi"] = set(CHAIN) | set(LEAVES)
MAY_SEE["emulator"] = {"base", "tensor"}  # of tensor, what f16 is
EVERYTHING = {"tests"}
GATE = "ops/cuda/gpu.h"  # the one file that may include the emulator

# These cost seconds of compile time in every file that sees them, so only .cpp files may.
HEAVY = re.compile(r"(nlohmann/|toml\+\+|CLI/|fmt/|iostream$|regex$|httplib\.h)")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
SUFFIXES = {".h", ".cuh", ".cpp", ".cu"}


def offences_of(root, path):
    name = path.relative_to(root).as_posix()
    folder = name.split("/")[0]
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quoted, target = match.group(1) == '"', match.group(2)
        where = f"{name}:{number}"
        if not quoted:
            if path.suffix in (".h", ".cuh") and HEAVY.search(target):
                yield f"{where}: a header includes <{target}>; move it to the .cpp that needs it"
            continue
        seen = target.split("/")[0]
        if not (root / target).is_file():
            yield f'{where}: no file "{target}"; quoted includes are paths from the root'
        elif seen == folder or folder in EVERYTHING:
            continue
        elif seen == "emulator" and name == GATE:
            continue
        elif seen not in MAY_SEE[folder]:
            allowed = ", ".join(sorted(MAY_SEE[folder])) or "nothing"
            yield f'{where}: {folder} includes "{target}"; it may include {allowed}'


def check(root):
    root = Path(root)
    found = []
    for folder in sorted(set(MAY_SEE) | EVERYTHING):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES:
                found += offences_of(root, path)
    return found


def self_test():
    cases = [  # file, its line, words that the one offence holds ("" for none)
        ("ops/a.cpp", '#include "tensor/t.h"', ""),
        ("ops/a.cpp", '#include "nn/n.h"', "ops includes"),
        ("tensor/a.h", '#include "ops/cuda/gpu.h"', "tensor includes"),
        ("data/a.cpp", '#include "masks/m.h"', ""),
        ("data/a.cpp", '#include "autograd/v.h"', "data includes"),
        ("evaluation/a.cpp", '#include "data/d.h"', "evaluation includes"),
        ("apps/a.cpp", '#include "data/d.h"', ""),
        ("ops/cuda/gpu.h", '#include "emulator/e.h"', ""),
        ("ops/cuda/a.cu", '#include "emulator/e.h"', "ops includes"),
        ("tests/a.cpp", '#include "emulator/e.h"', ""),
        ("base/a.h", "#include <iostream>", "a header includes"),
        ("base/a.cpp", "#include <iostream>", ""),
        ("base/a.h", '#  include "base/missing.h"', "no file"),
    ]
    for name, line, expected in cases:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for header in ["tensor/t.h", "nn/n.h", "masks/m.h", "autograd/v.h", "data/d.h",
                           "emulator/e.h", "ops/cuda/gpu.h", name]:
                (root / header).parent.mkdir(parents=True, exist_ok=True)
                (root / header).write_text("")
            (root / name).write_text(line + "\n")
            found = check(root)
        good = not found if not expected else len(found) == 1 and expected in found[0]
        if not good:
            sys.exit(f"check_layers self-test: {name} with {line} gave {found}")
    print(f"check_layers self-test: {len(cases)} cases")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = check(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    print("\n".join(found) or "layers: clean")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
