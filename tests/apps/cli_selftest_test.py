#!/usr/bin/env python3
"""The built-in checks: on every instruction set, and told when they fail.

Usage: cli_selftest_test.py SOMA."""

import json
import struct
import subprocess
from pathlib import Path

from cli_support import SOMA, Case, main


class SelftestTest(Case):
    def test_every_instruction_set_of_this_cpu(self):
        places = json.loads(self.passes("selftest", "--json").stdout)
        flags = Path("/proc/cpuinfo").read_text().split()
        for isa, flag in [("v2", "sse4_2"), ("v3", "avx2"), ("v4", "avx512vl"),
                          ("v4bf16", "avx512_bf16")]:
            place = places[f"cpu {isa}"]
            self.assertEqual(place["failed"], [])
            self.assertEqual(place["passed"] > 4, flag in flags, isa)
            self.assertEqual(place["not_tried"] != "", flag not in flags, isa)

    def test_says_what_was_tried(self):
        page = self.passes("selftest", "--device", "cpu").stdout
        self.assertRegex(page, r"^cpu v2: \d+ checks passed\n")
        self.assertNotIn("emulator", page)

    def test_a_place_that_is_not_there(self):
        if "cuda" in json.loads(self.passes("info", "--json").stdout)["devices"]:
            return
        self.fails(1, "nothing could be tried", "selftest", "--device", "cuda", "--quiet")

    def test_wrong_results_and_illegal_instructions_are_told(self):
        """The matrix product returns at once (ret), or meets no instruction (ud2)."""
        at = file_offset(SOMA, "soma::cpu::linear_forward(")
        for code, words in [(b"\xc3", "expected"), (b"\x0f\x0b", "ended by a signal: Illegal")]:
            broken = bytearray(SOMA.read_bytes())
            broken[at:at + len(code)] = code
            path = self.root / f"broken-{len(code)}"
            path.write_bytes(broken)
            path.chmod(0o755)
            done = subprocess.run([path, "selftest", "--device", "cpu"], capture_output=True,
                                  text=True, timeout=100)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(words, done.stderr)
            self.assertRegex(done.stderr, r"soma selftest: cpu v2.*: wrong results")


def file_offset(program, function):
    """Where the code of a function stands in the file (ELF64's program headers)."""
    names = subprocess.run(["nm", "-C", program], capture_output=True, text=True).stdout
    address = next(int(line.split()[0], 16) for line in names.splitlines()
                   if f" {function}" in line)
    data = program.read_bytes()
    table, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for i in range(count):
        kind, _, offset, virtual, _, length = struct.unpack_from("<IIQQQQ", data, table + i * size)
        if kind == 1 and virtual <= address < virtual + length:
            return address - virtual + offset
    raise LookupError(function)


if __name__ == "__main__":
    main()
