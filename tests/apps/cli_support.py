"""What the tests of the program share: running it, and a small data set of drawn cells."""

import csv
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOMA = Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else None


def soma(*words, **options):
    return subprocess.run(
        [SOMA, *map(str, words)], capture_output=True, text=True, timeout=200, **options
    )


# A model that trains in milliseconds an iteration, with every part that a real one has.
TINY = [
    "model.preset=cells",
    "model.backbone_width=8",
    "model.fpn_channels=8",
    "model.box_channels=16",
    "model.mask_channels=8",
    "model.mask_convs=1",
    "model.rpn_pre_nms_train=50",
    "model.rpn_post_nms_train=50",
    "train.rois=16",
    "train.batch=2",
    "train.log_every=1",
    "input.crop=64",
    "test.max_detections=20",
]


class Case(unittest.TestCase):
    IMAGES, SIZE = 3, "160x120"

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = Path(cls.folder.name)
        cls.data = cls.root / "data"
        run = soma("synth", cls.data, "--images", cls.IMAGES, "--size", cls.SIZE, "--seed", 1)
        assert run.returncode == 0, run.stderr

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def passes(self, *words, **options):
        run = soma(*words, **options)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run

    def fails(self, code, expected, *words, **options):
        run = soma(*words, **options)
        self.assertEqual(run.returncode, code, run.stderr)
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        self.assertIn(expected, run.stderr)
        self.assertTrue(run.stderr.startswith("soma"), run.stderr)
        self.assertEqual(run.stdout, "")
        return run

    def rows(self, name="train.csv"):
        with open(self.data / name, newline="") as table:
            return list(csv.DictReader(table))

    def table(self, name, header, rows):
        path = self.root / name
        with open(path, "w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(header)
            writer.writerows(rows)
        return path

    def disjoint(self):
        """A submission of the truth; where cells overlap, the first keeps the pixel."""
        rows, taken = [], {}
        for row in self.rows():
            numbers = list(map(int, row["annotation"].split()))
            pixels = [p for s, n in zip(numbers[::2], numbers[1::2]) for p in range(s, s + n)]
            free = sorted(set(pixels) - taken.setdefault(row["id"], set()))
            taken[row["id"]].update(free)
            rows.append((row["id"], " ".join(f"{p} 1" for p in free)))
        return self.table("perfect.csv", ["id", "predicted"], rows)

    def eval(self, predictions, *words, data=None):
        run = self.passes(
            "eval", "--data", data or self.data, "--predictions", predictions, "--json", *words
        )
        return json.loads(run.stdout)


def main():
    if SOMA is None:
        sys.exit("usage: *_test.py SOMA [NAME ...]")
    unittest.main(module="__main__")
