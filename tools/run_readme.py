#!/usr/bin/env python3
"""Runs the commands that a Markdown page shows, so that the page cannot go stale.

Usage: run_readme.py [PAGE [SECONDS]] | --self-test. Every line of a ```sh block is one command (a
trailing backslash joins lines; `#` begins a comment), run in order in the tree, each within SECONDS
(300). A block opened as ```sh no-run is for reading only. Ends with `N passed, N failed`.
"""
import subprocess
import sys
import tempfile
from pathlib import Path


def commands(text):
    inside, joined = False, ""
    for line in text.splitlines():
        if line.strip().startswith("```"):
            inside = not inside and line.strip()[3:].strip() == "sh"
            continue
        if not inside:
            continue
        joined += line.strip()
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        if joined and not joined.startswith("#"):
            yield joined
        joined = ""


def run(page, folder, seconds):
    passed = failed = 0
    for command in commands(page):
        print("$", command, flush=True)
        try:
            done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], cwd=folder,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=seconds)
            code, output = done.returncode, done.stdout
        except subprocess.TimeoutExpired as late:
            code, output = f"none within {seconds} s", late.stdout or b""
        if code == 0:
            passed += 1
            continue
        failed += 1
        print(output.decode(errors="replace")[-3000:])
        print(f"FAILED, exit code {code}: {command}")
    return passed, failed


def self_test():
    page = """text
```sh
# a comment
true
test 1 = \\
  1
exit 3
sleep 5
```
```
false
```
```sh no-run
false
```
"""
    with tempfile.TemporaryDirectory() as folder:
        counts = run(page, folder, 1)
    if counts != (2, 2):
        sys.exit(f"run_readme self-test: expected (2, 2), got {counts}")
    print("run_readme self-test: clean")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = Path(__file__).resolve().parent.parent
    page = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "README.md"
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    passed, failed = run(page.read_text(encoding="utf-8"), root, seconds)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
