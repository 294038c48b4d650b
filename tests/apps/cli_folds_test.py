#!/usr/bin/env python3
"""Drives `soma train --folds` and `soma eval --held-out`: every image is scored once, by the model
that did not see it.

Usage: cli_folds_test.py SOMA [NAME ...]
"""

import json

from cli_support import TINY, Case, main


class Folds(Case):
    IMAGES, SIZE = 12, "128x96"

    def train(self, name, *words):
        line = ["train", "--data", self.data, "--out", self.root / name, *TINY, *words]
        self.passes(*line)
        return self.root / name

    def test_each_fold_answers_for_the_images_that_it_held_out(self):
        words = ["train.iterations=1", "train.eval_images=0", "--folds", 3, "--fold"]
        runs = [self.train(f"fold {i}", *words, i) for i in range(3)]
        other = self.train("other", *words, 1, "--seed", 3)
        models = [word for run in runs for word in ("--model", run)]
        line = ["eval", "--data", self.data, "--held-out", "test.submission_score=0.05"]
        out = self.root / "found.json"
        scores = json.loads(self.passes(*line, *models, "--out", out, "--json").stdout)
        self.assertEqual([fold["images"] for fold in scores["folds"]], [4, 4, 4])
        self.assertEqual(scores["images"], 12)
        mean = sum(fold["kaggle"] for fold in scores["folds"]) / 3
        self.assertAlmostEqual(scores["kaggle"], mean)
        # A fold's score is that of its model on a table of its images alone.
        part = json.loads(self.passes(*line, "--model", runs[1], "--json").stdout)
        self.assertEqual(part["kaggle"], scores["folds"][1]["kaggle"])
        found = self.eval(out, "test.submission_score=0.05")
        self.assertEqual(found["kaggle"], scores["kaggle"])
        self.assertIn("fold 2: 4 held-out images", self.passes(*line, *models).stdout)
        warned = self.passes(*line, "--model", runs[0]).stderr
        self.assertIn("8 of 12 images are left out", warned)
        self.fails(1, "only folds of one division", *line, *models, "--model", other)
        plain = self.train("no folds", "train.iterations=1", "train.eval_images=0")
        self.fails(1, "was not trained by folds", *line, "--model", plain)
        self.fails(2, "--held-out", *line, "--predictions", out)


if __name__ == "__main__":
    main()
