#!/usr/bin/env python3
"""Drives `soma predict` and `soma eval` with several models, views and windows, and `soma tune`,
with models that were trained for a moment: every way of joining, what cannot be joined.

Usage: cli_ensemble_test.py SOMA [NAME ...]
"""

import json
import shutil

from cli_support import TINY, Case, main, soma

LOOSE = ["test.score=0.01", "test.submission_score=0.01"]


class Ensemble(Case):
    IMAGES, SIZE = 4, "128x96"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.images = cls.data / "train"
        cls.a, cls.b = cls.root / "a", cls.root / "b"
        other = ["model.backbone=resnet34", "model.anchor_ratios=[1]", "input.zoom=1.3"]
        for run, words in [(cls.a, []), (cls.b, [*other, "--seed", "5"])]:
            line = ["train", "--data", cls.data, "--out", run, *TINY, "train.iterations=3", *words]
            done = soma(*line)
            assert done.returncode == 0, done.stderr

    def line(self, models, out, *words):
        line = ["predict", "--images", self.images, "--out", self.root / out, *LOOSE, *words]
        for model in models:
            line += ["--model", model]
        return line

    def found(self, models, out, *words):
        self.passes(*self.line(models, out, "--format", "coco", *words))
        return json.loads((self.root / out / "coco.json").read_text())

    def test_every_way_of_joining(self):
        alone = [self.found([m], "alone") for m in (self.a, self.b)]
        masks = {e["segmentation"]["counts"] for part in alone for e in part}
        for way in ("nms", "soft_nms", "nmw", "wbf", "mask_nms"):
            for mean in ("best", "mean"):
                words = [f"test.fusion={way}", f"test.fusion_masks={mean}"]
                both = self.found([self.a, self.b], f"{way}_{mean}", *words)
                self.assertGreater(len(both), 0)
                if way == "nms" and mean == "best":
                    self.assertTrue({e["segmentation"]["counts"] for e in both} <= masks)
        run = self.passes(
            "eval", "--data", self.data, "--model", self.a, "--model", self.b, "--json", *LOOSE
        )
        self.assertEqual(json.loads(run.stdout)["images"], 4)

    def test_a_model_joined_with_itself_is_itself(self):
        for way in ("nms", "nmw", "wbf", "mask_nms"):
            words = [f"test.fusion={way}", "test.fusion_iou=0.9"]
            once = self.found([self.a], "once")
            twice = self.found([self.a, self.a], "twice", *words)
            if way == "nmw" or way == "wbf":  # means of equal numbers round
                self.assertEqual(len(twice), len(once))
                continue
            key = json.dumps
            self.assertEqual(sorted(map(key, once)), sorted(map(key, twice)))

    def test_the_same_bits_for_any_number_of_threads(self):
        words = ["test.fusion=wbf", "test.fusion_masks=mean"]
        one = self.found([self.a, self.b], "one", *words, "--threads", 1)
        self.assertEqual(one, self.found([self.a, self.b], "three", *words, "--threads", 3))

    def test_models_and_views_that_answer_as_one(self):
        inside = "test.fusion=inside"
        once, twice = (self.found([self.a] * n, "inside", inside) for n in (1, 2))
        self.assertEqual(len(twice), len(once))
        for a, b in zip(once, twice):  # one frame of pixels or another: means of equal numbers
            self.assertAlmostEqual(a["score"], b["score"], places=5)
        self.fails(1, "model 2 has other anchors", *self.line([self.a, self.b], "x", inside))
        views = "test.views=[plain, h, v, hv, t, th, tv, thv, plain@1.25]"
        for words in ([views], [views, "test.views_inside=false", "test.fusion=wbf"]):
            found = self.found([self.a], "views", *words)
            self.assertGreater(len(found), 0)
            for entry in found:
                self.assertEqual(entry["segmentation"]["size"], [96, 128])
        self.fails(2, "test.views", *self.line([self.a], "x", "test.views=q"))
        run = self.passes(*self.line([self.a, self.b], "x", views, "--dry-run"))
        self.assertIn("4 images would take", run.stdout)
        self.assertIn("here with 2 models x 9 views", run.stdout)

    def test_windows(self):
        found = self.found([self.a], "tiles", "test.tile=64", "test.tile_overlap=24")
        self.assertGreater(len(found), 0)
        whole = self.found([self.a], "whole")
        self.assertEqual(self.found([self.a], "large", "test.tile=129"), whole)
        words = ["test.tile=64", "test.tile_overlap=64"]
        self.fails(2, "test.tile_overlap", *self.line([self.a], "x", *words))

    def test_tune(self):
        self.passes(*self.line([self.a], "tuned", "--format", "raw,coco"))
        raw, coco = self.root / "tuned" / "raw", self.root / "tuned" / "coco.json"
        out = self.root / "tuned.toml"
        line = ["tune", "--data", self.data, "--out", out, "--folds", 2]
        for source in (["--predictions", raw], ["--predictions", coco], ["--model", self.a]):
            told = json.loads(self.passes(*line, *source, "--json", *LOOSE).stdout)
            self.assertGreaterEqual(told["after"], told["before"])
            self.assertIn("[test]", out.read_text())
            words = ["--data", self.data, "--config", out, "--json"]
            score = json.loads(self.passes("eval", *words, "--predictions", coco).stdout)
            if told["better"] and source[-1] == coco:
                self.assertAlmostEqual(score["kaggle"], told["after"], places=6)
            if not told["better"]:
                self.assertAlmostEqual(score["kaggle"], told["before"], places=6)
        found = self.found([self.a], "again", "--config", out)
        self.assertGreater(len(found), 0)
        self.fails(2, "either --model or --predictions", *line)
        self.fails(1, "no such file", *line, "--predictions", self.root)
        victim = next(raw.iterdir())
        victim.write_bytes(victim.read_bytes()[:-1])
        self.fails(1, victim.name, *line, "--predictions", raw)

    def test_the_ways_are_compared_and_the_best_one_is_what_it_says(self):
        out, models = self.root / "compared", ["--model", self.a, "--model", self.b]
        line = ["ensemble", "--data", self.data, "--out", out, *models, "test.score=0.01"]
        run = self.passes(*line, "test.views=[plain, h]")
        self.assertIn("left out: inside (test.fusion=inside: model 2 has other anchors", run.stdout)
        record = json.loads((out / "ensemble.json").read_text())
        ways = {way["way"]: way for way in record["ways"]}
        self.assertEqual(record["images"], 4)
        self.assertEqual(ways["nms, views apart"]["passes"], 4)
        for name in (str(self.a), "soft_nms", "wbf, masks averaged", f"{self.b}, views inside"):
            self.assertIn(name, run.stdout)
            low, high = ways[name]["gain_interval"]
            self.assertLessEqual(low, ways[name]["gain"] + 1e-12)
            self.assertGreaterEqual(high, ways[name]["gain"] - 1e-12)
        self.assertEqual(ways[record["reference"]]["gain"], 0)
        best = max(way["kaggle"] for way in record["ways"])
        self.assertEqual(ways[record["best"]]["kaggle"], best)
        # The settings go on top of each model's own configuration.
        advice = run.stdout[run.stdout.index("soma predict") :].split()[2:]
        self.passes("eval", "--data", self.data, *advice, "--json")
        told = self.passes(*line, "test.views=[plain, h]", "--json").stdout
        self.assertEqual(json.loads(told), record)

    def test_a_way_scores_what_eval_says(self):
        out = self.root / "one model"
        line = ["--data", self.data, "--model", self.a, "test.score=0.01", "--json"]
        way = json.loads(self.passes("ensemble", *line, "--out", out).stdout)["ways"][1]
        self.assertEqual(way["way"], f"{self.a}, views inside")
        scores = {}
        for threshold in [t / 10 for t in range(1, 10)]:
            words = ["test.views=[plain, h, v, hv]", f"test.submission_score={threshold}"]
            scores[threshold] = json.loads(self.passes("eval", *line, *words).stdout)["kaggle"]
        self.assertEqual(max(scores.values()), scores[way["submission_score"]])
        self.assertLessEqual(way["kaggle"], max(scores.values()) + 1e-12)

    def test_a_model_that_finds_nothing(self):
        silent = self.root / "silent"
        shutil.copytree(self.a, silent)
        both = self.found([self.a, silent], "both", "test.score=1")
        self.assertEqual(both, [])

    def test_what_cannot_be_joined(self):
        out = ["test.fusion_weights=[1, 2, 3]"]
        self.fails(2, "test.fusion_weights: expected one for each of 2",
                   *self.line([self.a, self.b], "x", *out))
        self.fails(2, "test.fusion=sum", *self.line([self.a, self.b], "x", "test.fusion=sum"))
        strange = self.root / "strange"
        shutil.copytree(self.a, strange)
        config = strange / "config.toml"
        names = json.dumps(sorted({row["cell_type"] for row in self.rows()}))
        text = config.read_text()
        self.assertIn(f"classes = {names}", text)
        config.write_text(text.replace(f"classes = {names}", 'classes = ["x", "y", "z"]'))
        self.fails(1, "model 2 knows the classes x, y, z", *self.line([self.a, strange], "x"))
        self.assertFalse((self.root / "x").exists())


if __name__ == "__main__":
    main()
