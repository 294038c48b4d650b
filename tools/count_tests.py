#!/usr/bin/env python3
"""Adds up the test cases of `meson test` runs and prints the closing line `N passed, N failed`.

Usage: count_tests.py [--names] LOG... | --self-test, with LOG a build folder's
meson-logs/testlog.json. A doctest program counts its test cases, any other test counts one. A
program that crashed, ran out of time or ran no test case counts as one failure. Skipped tests are
named. Exit code 1 on a failure or when nothing passed.
"""
import json
import re
import sys

SUMMARY = re.compile(r"test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed")


def count(entry):
    """(passed, failed, skipped) of one test of testlog.json."""
    result, output = entry["result"], entry.get("stdout", "")
    if result == "SKIP":
        return 0, 0, 1
    summary = SUMMARY.search(output)
    if not summary:
        doctest_died = "[doctest]" in output
        return (1, 0, 0) if result == "OK" and not doctest_died else (0, 1, 0)
    total, passed, failed = map(int, summary.groups())
    if total == 0 or (result != "OK" and failed == 0):
        return passed, failed + 1, 0
    return passed, failed, 0


def report(entries, names=False):
    totals = [0, 0, 0]
    for entry in entries:
        counts = count(entry)
        totals = [a + b for a, b in zip(totals, counts)]
        if counts[1]:
            print(f"FAILED {entry['name']} ({entry['result']})")
            print(entry.get("stdout", "")[-4000:] + entry.get("stderr", "")[-2000:])
        elif counts[2]:
            print(f"skipped {entry['name']}: {entry.get('stdout', '').strip()}")
        elif names:
            print(f"{entry['name']}: {counts[0]}")
    skipped = f", {totals[2]} skipped" if totals[2] else ""
    print(f"{totals[0]} passed, {totals[1]} failed{skipped}")
    return totals


def self_test():
    summary = "[doctest] test cases: %d | %d passed | %d failed | 0 skipped"
    cases = [
        ("OK", summary % (5, 5, 0), (5, 0, 0)),
        ("FAIL", summary % (5, 3, 2), (3, 2, 0)),
        ("OK", summary % (0, 0, 0), (0, 1, 0)),            # the filter matched no test
        ("FAIL", "[doctest] test cases: 2 | 2 passed | 0 failed", (2, 1, 0)),  # a sanitizer spoke
        ("FAIL", "[doctest] doctest version\nsegmentation fault", (0, 1, 0)),
        ("TIMEOUT", "", (0, 1, 0)),
        ("OK", "layers: clean", (1, 0, 0)),
        ("SKIP", "no clang-format", (0, 0, 1)),
    ]
    for result, stdout, expected in cases:
        got = count({"result": result, "stdout": stdout})
        if got != expected:
            sys.exit(f"count_tests self-test: {result} {stdout!r} gave {got}, expected {expected}")
    print(f"count_tests self-test: {len(cases)} cases")


def main():
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        return self_test()
    entries = []
    for path in [a for a in arguments if a != "--names"]:
        with open(path, encoding="utf-8") as log:
            entries += [json.loads(line) for line in log if line.strip()]
    passed, failed, _ = report(entries, "--names" in arguments)
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
