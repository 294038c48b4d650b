#!/usr/bin/env python3
"""Checks that the pages name files that are there: every `path/in/backticks.h` and every link.

Usage: check_docs.py [ROOT] | --self-test. Reads README.md and docs/*.md. NAME and x stand for any
name (`ops/cpu/NAME.cpp`) and are passed over, as are CUDA files, which not every tree has.
"""
import re
import sys
import tempfile
from pathlib import Path

PATH = re.compile(r"`([\w.+-]+(?:/[\w.+-]+)+\.(?:h|cpp|py|sh|md|txt|build))`")
STANDS_FOR_A_NAME = re.compile(r"\b[A-Z]{4,}|\bx\.")
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(?:#[^)\s]*)?\)")


def check(root):
    root = Path(root)
    found = []
    for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        if not page.is_file():
            continue
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            targets = [root / path for path in PATH.findall(line)
                       if not STANDS_FOR_A_NAME.search(path)]
            targets += [page.parent / link for link in LINK.findall(line)]
            found += [f"{page.relative_to(root)}:{number}: no file "
                      f"{target.relative_to(root).as_posix()}"
                      for target in targets if not target.exists()]
    return found


def self_test():
    cases = [("`base/a.h`", 0), ("`base/gone.h`", 1), ("[a](b.md)", 0), ("[a](gone.md)", 1),
             ("`ops/cpu/NAME.cpp`", 0), ("`a.h` and base/gone.h", 0), ("[x](int y)", 0),
             ("[a](b.md#part)", 0)]
    for text, expected in cases:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "base").mkdir()
            (root / "docs").mkdir()
            (root / "base/a.h").write_text("")
            (root / "docs/b.md").write_text(text)
            found = check(root)
        if len(found) != expected:
            sys.exit(f"check_docs self-test: {text} gave {found}")
    print(f"check_docs self-test: {len(cases)} cases")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = check(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    print("\n".join(found) or "docs: clean")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
