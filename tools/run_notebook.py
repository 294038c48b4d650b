#!/usr/bin/env python3
"""Runs the code cells of a notebook in order, as plain Python, in one namespace.

Usage: run_notebook.py NOTEBOOK | --self-test. Stops at the first cell that fails, exit code 1.
"""
import json
import sys
import tempfile
import traceback
from pathlib import Path


def run(path):
    """The number of cells that ran; the traceback of the one that failed is printed."""
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names = {"__name__": "__main__"}
    for number, source in enumerate(sources, 1):
        print(f"-- cell {number} of {len(sources)}", flush=True)
        try:
            exec(compile(source, f"{path}, cell {number}", "exec"), names)
        except BaseException:
            traceback.print_exc()
            return number - 1, len(sources)
    return len(sources), len(sources)


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        for sources, expected in [(["x = 1", "assert x == 1"], (2, 2)),
                                  (["x = 1", "assert x == 2", "y = 1"], (1, 3))]:
            path = Path(folder) / "a.ipynb"
            path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": ["# x = ("]}] + [
                {"cell_type": "code", "source": [source]} for source in sources]}))
            found = run(path)
            if found != expected:
                sys.exit(f"run_notebook self-test: {sources} gave {found}")
    print("run_notebook self-test: 2 cases")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--self-test":
        return self_test()
    done, all_cells = run(sys.argv[1])
    print(f"{done} of {all_cells} cells ran")
    sys.exit(done != all_cells)


if __name__ == "__main__":
    main()
