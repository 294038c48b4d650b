#!/usr/bin/env python3
"""Drives `soma ablate`: a table from trainings of a moment, what is kept when it is called again,
what is refused.

Usage: cli_ablate_test.py SOMA [NAME ...]
"""

import json

from cli_support import TINY, Case, main

PLAN = """
columns = ["backbone", "views"]
[all]
train.iterations = 2
train.eval_images = 0
test.submission_score = 0.05
[models.r18]
model.backbone = "resnet18"
[models.r34]
model.backbone = "resnet34"
[rows.1]
models = ["r18"]
cells = ["R18", ""]
[rows.2]
models = ["r18", "r34"]
cells = ["R18 + R34", ""]
against = "1"
[rows.3]
models = ["r18"]
cells = ["R18", "yes"]
against = "1"
test.views = ["plain", "h"]
"""


class Ablate(Case):
    IMAGES, SIZE = 4, "128x96"

    def line(self, out, plan=PLAN, *words):
        path = self.root / "plan.toml"
        path.write_text(plan)
        val = ["--val", self.data / "test.csv", "--val-images", self.data / "test"]
        line = ["ablate", "--data", self.data, *val, "--out", self.root / out, "--config", path]
        return [*line, *TINY, *words]

    def test_the_table_and_what_is_kept(self):
        first = self.passes(*self.line("table")).stdout
        out = self.root / "table"
        table = (out / "table.md").read_text()
        self.assertTrue(first.endswith(table))
        self.assertIn("| 2 | R18 + R34 |  | ", table)
        record = json.loads((out / "table.json").read_text())
        self.assertEqual([row["row"] for row in record["rows"]], ["1", "2", "3"])
        # The scores are those of eval.
        test = ["--data", self.data / "test.csv", "--images", self.data / "test", "--json"]
        models = ["--model", out / "models/r18", "--model", out / "models/r34"]
        words = ["test.submission_score=0.05"]
        score = json.loads(self.passes("eval", *test, *models, *words).stdout)
        self.assertAlmostEqual(record["rows"][1]["kaggle"], score["kaggle"])
        self.assertEqual(record["images"], score["images"])
        # Nothing is trained or tested again.
        before = {p: p.stat().st_mtime_ns for p in (out / "models").rglob("*.safetensors")}
        again = self.passes(*self.line("table"))
        self.assertEqual(again.stdout, table)
        told = self.passes(*self.line("table", PLAN, "--json")).stdout
        self.assertEqual(json.loads(told), record)
        # A row that is lost is tested again, a training that was cut short goes on.
        (out / "rows/3.csv").unlink()
        self.assertIn("row 3: ", self.passes(*self.line("table")).stdout)
        after = {p: p.stat().st_mtime_ns for p in (out / "models").rglob("*.safetensors")}
        self.assertEqual(before, after)
        (out / "models/r18.done").unlink()
        self.assertIn("nothing is left to do", self.passes(*self.line("table")).stdout)
        # Other settings under the old names are no quiet mixture.
        other = PLAN.replace("iterations = 2", "iterations = 3")
        self.fails(1, "tells of other settings or data", *self.line("table", other))

    def test_what_is_refused(self):
        self.fails(2, "no model r99 sets a key",
                   *self.line("x", PLAN.replace('["r18"]', '["r99"]')))
        self.fails(2, "--config", "ablate", "--data", self.data, "--val", self.data, "--out", "x")
        self.fails(2, "no such key", *self.line("x", PLAN, "train.rl=3"))
        self.assertFalse((self.root / "x").exists())


if __name__ == "__main__":
    main()
