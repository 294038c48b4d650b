#!/usr/bin/env python3
"""Times the same short training with everything logged, on a terminal, and with --quiet, turn by
turn: what the progress line, the tables, TensorBoard's events and the plots cost.

Usage: time_logging.py SOMA [--rounds 7] [--iterations 30]; prints the medians and their ratio.
"""
import argparse
import os
import pty
import resource
import statistics
import subprocess
import tempfile
import time


def run_on_terminal(words):
    """Wall and CPU seconds of a command whose output goes to a terminal that is read."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    reader, terminal = pty.openpty()
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal)
    os.close(terminal)
    try:
        while os.read(reader, 1 << 16):
            pass
    except OSError:  # how Linux says that the other side has closed
        pass
    os.close(reader)
    if process.wait() != 0:
        raise SystemExit(f"time_logging: failed: {' '.join(words)}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begin, cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("soma")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--iterations", type=int, default=30)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/data"
        subprocess.run([args.soma, "synth", data, "--images", "20", "--size", "352x260", "--quiet"],
                       check=True)
        words = [args.soma, "train", "--data", f"{data}/train.csv", "--images", f"{data}/train",
                 "model.preset=cells", f"train.iterations={args.iterations}", "train.batch=2",
                 "train.eval_images=0", "train.log_every=1", "--device", "cpu"]
        seconds = {"all logged": [], "--quiet": []}
        for turn in range(args.rounds):
            for name in sorted(seconds, reverse=turn % 2 == 1):
                out = f"{folder}/{name.strip('-')} {turn}"
                quiet = ["--quiet"] if name == "--quiet" else []
                seconds[name].append(run_on_terminal([*words, "--out", out, *quiet]))
    for kind, what in enumerate(("wall", "CPU")):
        logged, quiet = (statistics.median(run[kind] for run in seconds[name])
                         for name in ("all logged", "--quiet"))
        print(f"{what}: {logged:.2f} s with everything logged, {quiet:.2f} s with --quiet,"
              f" ratio {logged / quiet:.3f}")


if __name__ == "__main__":
    main()
