#!/usr/bin/env python3
"""Drives the program as a user does: the line itself, exit codes, one-line errors, `soma info`.

Usage: cli_test.py SOMA [NAME ...]
"""

import json
import os
import subprocess
import unittest
from pathlib import Path

from cli_support import SOMA, Case, main, soma


class Line(Case):
    def test_help_version_and_nothing(self):
        self.assertIn("soma COMMAND", self.passes("--help").stdout)
        self.assertRegex(self.passes("--version").stdout, r"^soma \d+\.\d+\.\d+\n$")
        run = soma()
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertIn("Usage", run.stderr)

    def test_every_command_has_a_page_with_an_example(self):
        page = self.passes("--help").stdout
        names = [line.split()[0] for line in page.splitlines() if line.startswith("  ")]
        self.assertIn("train", names)
        for name in names:
            self.assertIn(f"soma {name} ", self.passes(name, "--help").stdout.split("Example:")[1])

    def test_wrong_usage_exits_2(self):
        self.fails(2, "did you mean synth?", "snyth", "x")
        self.fails(2, "did you mean --images?", "synth", self.root / "x", "--image", "3")
        self.fails(2, "--images", "synth", self.root / "x", "--images", "0")
        self.fails(2, "--size", "synth", self.root / "x", "--size", "704")
        self.fails(2, "--size", "synth", self.root / "x", "--size", "1x99999999999999999999")
        self.fails(2, "either --model or --predictions", "eval", "--data", self.data)
        self.fails(2, "did you mean train.batch?", "info", "--keys", "train.bach=2")
        self.fails(2, 'got "x"', "info", "--keys", "train.batch=x")
        self.assertFalse((self.root / "x").exists())

    def test_failures_exit_1(self):
        self.fails(1, "/nowhere", "convert", "/nowhere", self.root / "x.json")
        self.fails(1, "/nowhere", "eval", "--data", self.data, "--predictions", "/nowhere")
        self.fails(1, "/nowhere", "info", "--model", "/nowhere")
        self.fails(1, "/nowhere", "info", "--keys", "--config", "/nowhere")
        self.fails(1, "/nowhere/t.json", "info", "--trace", "/nowhere/t.json")

    @unittest.skipUnless(Path("/dev/full").exists(), "no /dev/full")
    def test_a_full_disk_under_stdout_is_a_failure(self):
        with open("/dev/full", "w") as full:
            run = subprocess.run([SOMA, "info"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(run.returncode, 1)
        self.assertIn("standard output", run.stderr)

    def test_a_closed_pipe_is_a_failure_not_a_signal(self):
        read, write = os.pipe()
        os.close(read)
        run = subprocess.run([SOMA, "info"], stdout=write, stderr=subprocess.PIPE, text=True)
        os.close(write)
        self.assertEqual(run.returncode, 1)

    def test_a_comma_decimal_locale_changes_nothing(self):
        plain = self.passes("info", "--keys").stdout
        self.assertEqual(
            plain, self.passes("info", "--keys", env={**os.environ, "LC_ALL": "de_DE.UTF-8"}).stdout
        )


class Info(Case):
    def test_facts(self):
        facts = json.loads(self.passes("info", "--json").stdout)
        for name in ["version", "build", "compiler", "cpu", "isa", "threads"]:
            self.assertTrue(facts[name], name)
        self.assertEqual(
            json.loads(self.passes("info", "--json", "--threads", 1).stdout)["threads"], "1"
        )

    def test_keys_are_a_configuration(self):
        path = self.root / "run.toml"
        path.write_text(
            self.passes("info", "--keys", "model.preset=cells", "train.lr=0.125").stdout
        )
        self.assertEqual(self.passes("info", "--keys", "--config", path).stdout, path.read_text())
        self.assertIn("lr = 0.125\n", path.read_text())

    def test_tensors_of_a_file(self):
        header = json.dumps(
            {
                "w": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
                "__metadata__": {"k": "v"},
            }
        ).encode()
        path = self.root / "w.safetensors"
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
        found = json.loads(self.passes("info", "--model", path, "--json").stdout)
        self.assertEqual(
            found,
            {
                "tensors": {"w": {"dtype": "f32", "shape": [1, 2]}},
                "metadata": {"k": "v"},
                "form": "safetensors",
                "names": "of no known model",
            },
        )
        self.assertIn("w     f32   [1, 2]", self.passes("info", "--model", path).stdout)
        path.write_bytes(path.read_bytes()[:-1])
        self.fails(1, str(path), "info", "--model", path)


if __name__ == "__main__":
    main()
