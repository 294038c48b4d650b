#!/usr/bin/env python3
"""Compiles every CUDA kernel for every architecture of a build and looks at what ptxas says of it.

Usage: check_cuda.py BUILD | --self-test. BUILD is a build folder of -Dcuda=enabled (with
-Dgpu_archs=all for every architecture that nvcc knows). Takes the compile commands from it, runs
each once more with `ptxas -v`, and fails for a warning or for a kernel that spills registers,
unless ALLOWED names it with the reason. No card is needed.
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

# (pattern of the kernel's name, architecture) -> why its spills are accepted
CHECKS_ALONE = "f64 is for checks alone; registers are kept over the calls that its divisions are"
ALLOWED = {
    ("*max_pool2d*BackwardId*", "sm_100"): CHECKS_ALONE,
    ("*resize*BackwardId*", "sm_100"): CHECKS_ALONE,
    ("*roi_align*ForwardId*", "sm_100"): CHECKS_ALONE,
}

ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(\w+)'")
SPILL = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
WARNING = re.compile(r"\bwarning\b", re.I)


def offences(log):
    """Lines of complaint about one compiler's output, and how many kernels it compiled."""
    found, kernels, entry = [], 0, None
    for line in log.splitlines():
        match = ENTRY.search(line)
        if match:
            entry, kernels = match.groups(), kernels + 1
            continue
        match = SPILL.search(line)
        if match and entry:
            stores, loads = map(int, match.groups())
            allowed = any(fnmatchcase(entry[0], name) and arch == entry[1]
                          for name, arch in ALLOWED)
            if stores + loads > 0 and not allowed:
                found.append(f"{entry[0]} for {entry[1]}: spills {stores} bytes stored, "
                             f"{loads} loaded")
            entry = None
        elif WARNING.search(line):
            found.append(line.strip())
    return found, kernels


def commands_of(build):
    lines = subprocess.run(["ninja", "-C", build, "-t", "commands"], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return [shlex.split(line) for line in lines if re.search(r"\bnvcc\b", line)]


def compile_again(build, command):
    out = command.index("-o") + 1
    with tempfile.TemporaryDirectory() as folder:
        words = command[:out] + [os.path.join(folder, "out.o")] + command[out + 1:]
        depfile = words.index("-MF") + 1
        words[depfile] = os.path.join(folder, "out.d")
        done = subprocess.run(words + ["-Xptxas", "-v"], cwd=build, capture_output=True, text=True)
    source = Path(command[command.index("-c") + 1]).name
    found, kernels = offences(done.stdout + done.stderr)
    if done.returncode != 0:
        found.append((done.stderr.strip().splitlines() or ["failed"])[-1])
    return [f"{source}: {line}" for line in found], kernels


def self_test():
    entry = "ptxas info    : Compiling entry function '_Z1fv' for 'sm_75'\n"
    clean = entry + "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
    cases = [(clean, 0, 1), (clean + clean, 0, 2), ("", 0, 0),
             (entry + "    8 bytes stack frame, 4 bytes spill stores, 0 bytes spill loads\n", 1, 1),
             (entry + "    8 bytes stack frame, 0 bytes spill stores, 8 bytes spill loads\n", 1, 1),
             (entry.replace("_Z1fv", "_Z8resize_8BackwardIdE").replace("75", "100") +
              "    8 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads\n", 0, 1),
             (entry.replace("_Z1fv", "_Z8resize_8BackwardIdE") +
              "    8 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads\n", 1, 1),
             (clean + "a.cu(3): warning #177-D: variable was declared but never used\n", 1, 1)]
    for log, expected, kernels in cases:
        found = offences(log)
        if (len(found[0]), found[1]) != (expected, kernels):
            sys.exit(f"check_cuda self-test: {log!r} gave {found}")
    print(f"check_cuda self-test: {len(cases)} cases")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) != 2:
        sys.exit("check_cuda: expected the build folder of -Dcuda=enabled")
    build = sys.argv[1]
    commands = commands_of(build)
    if not commands:
        sys.exit(f"check_cuda: {build} compiles nothing with nvcc; set it up with -Dcuda=enabled")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda command: compile_again(build, command), commands))
    found = [line for lines, _ in results for line in lines]
    print("\n".join(found + [f"cuda: {sum(count for _, count in results)} kernels in "
                             f"{len(commands)} files, {len(found)} complaints"]))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
