#!/usr/bin/env python3
"""Installs the headers of libsoma.a, run by `meson install`: each under its path in the tree.

Usage: install_headers.py INCLUDE_DIR LAYER...   INCLUDE_DIR is relative to the prefix.
"""
import os
import shutil
import sys
from pathlib import Path


def main():
    source = Path(os.environ["MESON_SOURCE_ROOT"])
    out = Path(os.environ["MESON_INSTALL_DESTDIR_PREFIX"]) / sys.argv[1]
    for layer in sys.argv[2:]:
        for header in sorted((source / layer).rglob("*.h")):
            place = out / header.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(header, place)
            place.chmod(0o644)


if __name__ == "__main__":
    main()
