#!/usr/bin/env python3
"""Weights as a user meets them: train, convert to torchvision's names, look at the file, fine-tune
from it with other classes, predict with it. Usage: cli_weights_test.py PATH_OF_SOMA."""

import json

from cli_support import Case, main

SMALL = [
    "model.preset=torchvision",
    "model.backbone=resnet18",
    "model.norm_eps=0",
    "model.fpn_channels=16",
    "model.box_channels=16",
    "model.mask_channels=16",
    "model.anchors=[[8],[16],[32],[64],[128]]",
    "input.min_size=128",
    "train.batch=1",
    "train.rois=16",
    "train.iterations=1",
    "train.eval_images=1",
]


class WeightsTest(Case):
    def train(self, out, *words):
        return self.passes("train", "--data", self.data, "--out", self.root / out, *SMALL, *words)

    def test_there_and_back(self):
        self.train("first")
        run, theirs = self.root / "first", self.root / "theirs.safetensors"
        self.passes("convert", run, theirs, "--names", "torchvision")
        facts = json.loads(self.passes("info", "--model", theirs, "--json").stdout)
        self.assertEqual(facts["names"], "torchvision detection")
        self.assertEqual(facts["classes"], "3")
        self.assertEqual(
            facts["tensors"]["roi_heads.box_predictor.bbox_pred.weight"],
            {"dtype": "f32", "shape": [16, 16]},
        )
        self.assertEqual(facts["tensors"]["backbone.body.conv1.weight"]["shape"], [64, 3, 7, 7])
        own = self.root / "own.safetensors"
        run = self.passes("convert", theirs, own, "--json")
        self.assertEqual(json.loads(run.stdout), {"tensors": len(facts["tensors"]), "unused": []})
        page = self.passes("info", "--model", own).stdout
        self.assertIn("# names: soma\n", page)
        self.assertIn("# channels: rgb\n", page)
        self.assertIn("backbone.stem.weight", page)
        facts = json.loads(
            self.passes("bench", "weights", "--model", theirs, "--repeats", "2", "--json",
                        *SMALL[:8]).stdout
        )
        self.assertGreater(facts["load_s"], facts["open_s"])
        self.assertGreater(facts["private_of_file"], 0.9)
        # The same model from each of the three: the same detections.
        found = []
        for name, words in [
            ("first", []),
            ("theirs.safetensors", [*SMALL[:8], "model.classes=[astro,cort,shsy5y]"]),
            ("own.safetensors", [*SMALL[:8], "model.classes=[astro,cort,shsy5y]"]),
        ]:
            out = self.root / f"found-{name}"
            self.passes(
                "predict", "--model", self.root / name, "--images", self.data / "train", "--out",
                out, "--format", "coco", "test.score=0.01", *words,
            )
            found.append((out / "coco.json").read_text())
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0], found[2])
        self.assertIn("score", found[0])

        words = [f"model.weights={theirs}", "model.freeze=res2"]
        tuned = self.train("tuned", *words, "model.classes=[cort,shsy5y,astro]")
        log = (self.root / "tuned" / "log.txt").read_text()
        self.assertIn("torchvision detection, safetensors, 3 classes", log)
        self.assertIn("  loaded: backbone (", log)
        self.assertIn("  frozen: backbone.res2 (4 tensors), backbone.stem (1 tensor)", log)
        self.assertNotIn("replaced", log, tuned.stderr)
        # Resumed runs do not begin again from the file.
        self.train("tuned", "--resume", *words, "train.iterations=2")
        self.assertEqual((self.root / "tuned" / "log.txt").read_text().count("  loaded:"), 1)

    def test_other_classes_and_bad_files(self):
        run = self.root / "run"
        self.train("run", "model.classes=[cort,shsy5y,astro,more]")
        self.train("few", f"model.weights={run / 'weights' / 'last.safetensors'}")
        self.assertIn(
            "  replaced, 4 classes by 3: box_head.deltas (2 tensors), box_head.logits (2 tensors), "
            "mask_head.logits (2 tensors)",
            (self.root / "few" / "log.txt").read_text(),
        )
        predict = ["predict", "--images", self.data / "train", "--out", self.root / "none"]
        weights = run / "weights" / "last.safetensors"
        self.fails(1, "has 4 classes", *predict, "--model", weights, "model.classes=[a]")
        bad = self.root / "bad.pth"
        bad.write_bytes(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
        self.fails(1, "it wants os.system", *predict, "--model", bad, "model.classes=[a]")
        self.fails(1, "it wants os.system", "info", "--model", bad)
        self.fails(1, "it wants os.system", "convert", bad, self.root / "bad.safetensors")
        self.fails(
            1, "it wants os.system", "train", "--data", self.data, "--out", self.root / "unmade",
            f"model.weights={bad}",
        )
        self.assertFalse((self.root / "unmade").exists())
        self.assertFalse((self.root / "bad.safetensors").exists())
        self.fails(2, "--names", "convert", bad, self.root / "x.safetensors", "--names", "theirs")


if __name__ == "__main__":
    main()
