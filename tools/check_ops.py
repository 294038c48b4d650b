#!/usr/bin/env python3
"""Checks that every differentiable op is tested: each function of ops/*.h that returns a Variable
needs an op_test case that names it (`.op = "NAME"`) in a test file that the build runs.

Usage: check_ops.py [ROOT] | --self-test. Prints one line per op without a case and exits 1.
"""
import re
import sys
import tempfile
from pathlib import Path

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
OP = re.compile(r"^(?:inline\s+)?Variable\s+(\w+)\s*\(", re.M)
CASE = re.compile(r'\.op\s*=\s*"(\w+)"')
RUN = re.compile(r"'(\w+)'")


def code_of(path):
    return COMMENT.sub("", path.read_text(encoding="utf-8"))


def check(root):
    root = Path(root)
    build = re.sub(r"#[^\n]*", "", (root / "tests/meson.build").read_text(encoding="utf-8"))
    run = set(RUN.findall(build))
    tested = set()
    for path in sorted((root / "tests/ops").glob("*_test.cpp")):
        if path.name[:-len("_test.cpp")] in run:
            tested.update(CASE.findall(code_of(path)))
    ops = [(path, name) for path in sorted((root / "ops").glob("*.h"))
           for name in OP.findall(code_of(path))]
    missing = [f'{path.relative_to(root)}: {name} has no case in tests/ops; add an op_test with '
               f'.op = "{name}"' for path, name in ops if name not in tested]
    return missing if ops else ["ops: no function that returns a Variable was found"]


def self_test():
    op, case = "Variable twice(const Variable& x,\n  int n);\n", 'op_test({.op = "twice"});\n'
    cases = [  # the header, the test, the build file, offences
        (op, case, "'ops': ['a'],", 0),
        (op, "", "'ops': ['a'],", 1),
        (op, case.replace("twice", "thrice"), "'ops': ['a'],", 1),
        (op, "// " + case, "'ops': ['a'],", 1),
        (op, case, "'ops': [],", 1),
        (op, case, "'ops': [],  # 'a'", 1),
        (op + "Variable half(const Variable& x);\n", case, "'ops': ['a'],", 1),
        ("// " + op.replace("\n", " ") + "\n" + op, case, "'ops': ['a'],", 0),
        (op + "Tensor other(const Tensor& x);\n", case, "'ops': ['a'],", 0),
        ("", case, "'ops': ['a'],", 1),
    ]
    for header, test, build, expected in cases:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "tests/ops").mkdir(parents=True)
            (root / "ops").mkdir()
            (root / "ops/a.h").write_text(header)
            (root / "tests/ops/a_test.cpp").write_text(test)
            (root / "tests/meson.build").write_text(build)
            found = check(root)
        if len(found) != expected:
            sys.exit(f"check_ops self-test: {header!r}, {test!r}, {build!r} gave {found}")
    print(f"check_ops self-test: {len(cases)} cases")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = check(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    print("\n".join(found) or "ops: each has a case")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
