#!/usr/bin/env python3
"""One file that is program and model: packed, run alone, damaged. Usage: cli_pack_test.py SOMA."""

import json
import os
import shutil
import subprocess

from cli_support import SOMA, TINY, Case, main, soma


class PackTest(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.root / "run"
        done = soma("train", "--data", cls.data, "--out", cls.model, *TINY, "train.iterations=1")
        assert done.returncode == 0, done.stderr
        cls.cells = cls.root / "cells"
        done = soma("pack", cls.model, cls.cells, "test.score=0.01")
        assert done.returncode == 0, done.stderr

    def by_cells(self, *words, program=None, **options):
        return subprocess.run([program or self.cells, *map(str, words)], capture_output=True,
                              text=True, timeout=200, **options)

    def test_one_file_finds_what_program_and_model_find(self):
        images = sorted((self.data / "test").glob("*.png"))
        self.passes("predict", "--model", self.model, "--images", *images, "--out",
                    self.root / "two", "test.score=0.01", "--quiet")
        # Alone in a folder, by a relative path, from a copy without the run.
        alone = self.root / "alone"
        alone.mkdir()
        shutil.copy2(self.cells, alone / "cells")
        run = self.by_cells("predict", "--images", *images, "--out", "one", program="./cells",
                            cwd=alone)
        self.assertEqual(run.returncode, 0, run.stderr)
        found = (alone / "one" / "coco.json").read_text()
        self.assertEqual(found, (self.root / "two" / "coco.json").read_text())
        self.assertIn("score", found)
        # Another model may be named, and predictions need none.
        run = self.by_cells("eval", "--data", self.data / "test.csv", "--images",
                            self.data / "test", "--predictions", alone / "one" / "coco.json")
        self.assertEqual(run.returncode, 0, run.stderr)
        run = self.by_cells("predict", "--model", self.model, "--images", *images, "--out",
                            self.root / "other", "test.score=0.01")
        self.assertEqual((self.root / "other" / "coco.json").read_text(), found, run.stderr)

    def test_info_tells_what_it_holds(self):
        facts = json.loads(self.by_cells("info", "--json").stdout)
        self.assertEqual(facts["classes"], "astro, cort, shsy5y")
        self.assertIn("resnet", facts["model"])
        self.assertNotIn("classes", json.loads(self.passes("info", "--json").stdout))
        self.assertIn("score = 0.01", self.by_cells("info", "--keys").stdout)
        # It is a MODEL as any other.
        page = self.passes("info", "--model", self.cells).stdout
        self.assertIn("# form: safetensors in a program", page)
        self.passes("convert", self.cells, self.root / "out.safetensors")

    def test_same_model_same_bytes(self):
        self.passes("pack", self.model, self.root / "again", "test.score=0.01")
        self.assertEqual(self.cells.read_bytes(), (self.root / "again").read_bytes())
        self.assertTrue(os.access(self.root / "again", os.X_OK))
        self.assertTrue(self.cells.read_bytes().startswith(SOMA.read_bytes()))

    def test_refusals(self):
        again = self.root / "twice"
        run = self.by_cells("pack", self.model, again)
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertIn("carries a model already", run.stderr)
        self.fails(1, "is packed already", "pack", self.cells, again)
        self.fails(1, "is a folder", "pack", self.model, self.root)
        weights = self.model / "weights" / "best.safetensors"
        before = weights.read_bytes()
        self.fails(1, "goes into the program", "pack", self.model, weights)
        self.assertEqual(weights.read_bytes(), before)
        self.fails(1, "no such file", "pack", self.root / "none", again)
        bare = self.root / "bare.safetensors"
        bare.write_bytes(before)
        self.fails(1, "no configuration", "pack", bare, again)
        self.fails(1, "is a program without a model", "info", "--model", SOMA)
        self.assertFalse(again.exists())

    def test_damage_is_one_line(self):
        whole, plain = self.cells.read_bytes(), len(SOMA.read_bytes())
        broken = self.root / "broken"
        altered = bytearray(whole)
        altered[-100] ^= 1
        for content in (whole[:-1], whole[: plain + 1], whole[: plain + 5000], bytes(altered)):
            broken.write_bytes(content)
            broken.chmod(0o755)
            run = self.by_cells("predict", "--images", self.data / "test", "--out",
                                self.root / "nothing", program=broken)
            self.assertEqual((run.returncode, run.stdout), (1, ""), run.stderr)
            self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
            self.assertIn("broken: ", run.stderr)
        self.assertFalse((self.root / "nothing").exists())


if __name__ == "__main__":
    main()
