#!/usr/bin/env python3
"""Writes text files as C++ constants; style.css becomes embedded::style.

Usage: embed.py OUT.cpp FILE ...
"""
import sys
from pathlib import Path


def literal(text):
    """A string literal per line, in ASCII."""
    lines = []
    for line in text.splitlines(keepends=True):
        body = "".join(
            "\\n" if c == "\n" else "\\" + c if c in '"\\' else c if " " <= c <= "~"
            else "".join(f"\\{byte:03o}" for byte in c.encode())
            for c in line
        )
        lines.append(f'    "{body}"')
    return "\n".join(lines) or '    ""'


def main():
    out, *files = map(Path, sys.argv[1:])
    parts = ['#include "pages/embedded.h"\n\nnamespace soma::embedded {\n']
    for path in files:
        parts.append(f"const std::string_view {path.stem} =\n{literal(path.read_text('utf-8'))};\n")
    out.write_text("\n".join(parts) + "\n}  // namespace soma::embedded\n", "utf-8")


if __name__ == "__main__":
    main()
