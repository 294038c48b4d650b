#!/usr/bin/env python3
"""Drives the commands that work on data: synth, stats, show, eval, convert, submit, bench.

Usage: cli_data_test.py SOMA [NAME ...]
"""

import csv
import json
from pathlib import Path

from cli_support import Case, main


class Synth(Case):
    def test_layout_and_determinism(self):
        self.assertEqual(len(list((self.data / "train").glob("*.png"))), 3)
        self.assertEqual(len(list((self.data / "test").glob("*.png"))), 2)
        again = self.root / "again"
        run = self.passes(
            "synth",
            again,
            "--images",
            3,
            "--size",
            "160x120",
            "--seed",
            1,
            "--threads",
            1,
            "--json",
        )
        self.assertEqual(json.loads(run.stdout)["images"], 3)
        for path in sorted(self.data.rglob("*.*")):
            self.assertEqual(
                path.read_bytes(), (again / path.relative_to(self.data)).read_bytes(), path
            )
        other = self.root / "other"
        self.passes("synth", other, "--images", 3, "--size", "160x120", "--seed", 2)
        self.assertNotEqual(
            (other / "train.csv").read_bytes(), (self.data / "train.csv").read_bytes()
        )

    def test_a_place_that_cannot_be_written(self):
        (self.root / "file").write_text("")
        self.fails(1, "file", "synth", self.root / "file" / "x", "--images", 1)


class Eval(Case):
    def test_the_truth_scores_one_and_nothing_scores_zero(self):
        truth = self.table(
            "truth.csv", ["id", "predicted"], [(r["id"], r["annotation"]) for r in self.rows()]
        )
        scores = self.eval(truth)
        self.assertEqual(scores["images"], 3)
        self.assertEqual(scores["kaggle"], 1)
        self.assertEqual(scores["kaggle_interval"], [1, 1])
        self.assertEqual(set(scores["kaggle_per_class"]), {r["cell_type"] for r in self.rows()})
        self.assertTrue(all(score == 1 for score in scores["kaggle_per_class"].values()))
        self.assertIsNone(scores["AP"])
        nothing = self.table(
            "nothing.csv", ["id", "predicted"], [(i, "") for i in {r["id"] for r in self.rows()}]
        )
        self.assertEqual(self.eval(nothing)["kaggle"], 0)
        self.assertIn(
            "1.0000", self.passes("eval", "--data", self.data, "--predictions", truth).stdout
        )

    def test_coco_results(self):
        coco = self.root / "coco.json"
        self.passes("convert", self.data, coco)
        data = json.loads(coco.read_text())
        results = [
            {
                "image_id": a["image_id"],
                "category_id": a["category_id"],
                "bbox": a["bbox"],
                "score": 0.9,
                "segmentation": a["segmentation"],
            }
            for a in data["annotations"]
        ]
        found = self.root / "found.json"
        found.write_text(json.dumps(results))
        scores = self.eval(found)
        self.assertAlmostEqual(scores["AP"], 1)
        self.assertAlmostEqual(scores["AP50"], 1)
        self.assertTrue(all(abs(ap - 1) < 1e-9 for ap in scores["AP_per_class"].values()))
        self.assertGreater(scores["kaggle"], 0.8)  # cells that overlap lose pixels
        self.assertEqual(self.eval(found, "test.submission_score=0.95")["kaggle"], 0)
        self.assertAlmostEqual(
            self.eval(found, "--images", self.data / "train", data=coco)["AP"], 1
        )
        found.write_text("[]")
        scores = self.eval(found)
        self.assertEqual((scores["kaggle"], scores["AP"]), (0, 0))

    def test_images_without_cells(self):
        ids = sorted({r["id"] for r in self.rows()})
        empty = self.table(
            "empty.csv",
            ["id", "annotation", "width", "height", "cell_type"],
            [(i, "", 160, 120, "cort") for i in ids],
        )
        nothing = self.table("nothing.csv", ["id", "predicted"], [(i, "") for i in ids])
        scores = json.loads(
            self.passes(
                "eval",
                "--data",
                empty,
                "--images",
                self.data / "train",
                "--predictions",
                nothing,
                "--json",
            ).stdout
        )
        self.assertEqual((scores["images"], scores["kaggle"]), (3, 1))

    def test_broken_predictions(self):
        first = self.rows()[0]["id"]
        for words, rows in [
            ("nobody", [("nobody", "1 1")]),
            ("perfect", [(first, "1 1 2")]),
            ("perfect", [(first, "0 1")]),
            ("perfect", [(first, "19200 2")]),
        ]:
            path = self.table("perfect.csv", ["id", "predicted"], rows)
            self.fails(1, words, "eval", "--data", self.data, "--predictions", path)
        path.write_text('[{"image_id": 1')
        self.fails(1, str(path), "eval", "--data", self.data, "--predictions", path)
        path.write_text("")
        self.fails(1, str(path), "eval", "--data", self.data, "--predictions", path)


class Others(Case):
    def test_stats(self):
        found = json.loads(self.passes("stats", "--data", self.data, "--json").stdout)
        rows = self.rows()
        areas = sorted(sum(map(int, r["annotation"].split()[1::2])) for r in rows)
        self.assertEqual((found["images"], found["instances"]), (3, len(rows)))
        self.assertEqual(found["sizes"], [{"width": 160, "height": 120, "images": 3}])
        self.assertEqual(set(found["classes"]), {r["cell_type"] for r in rows})
        self.assertEqual(
            (found["areas"]["least"], found["areas"]["greatest"]), (areas[0], areas[-1])
        )
        self.assertEqual((found["faults"]["empty"], found["faults"]["duplicates"]), (0, 0))
        self.assertEqual(len(found["anchors"]["sizes"]), 5)
        self.assertTrue(50 < found["mean"][0] < 200 and 5 < found["std"][0] < 60)
        page = self.passes("stats", "--data", self.data).stdout
        self.assertIn(f"3 images (0 without instances), {len(rows)} instances", page)
        keys = [word for word in page.split("'") if word.startswith("model.")]
        self.passes("info", "--keys", *keys)

    def test_stats_without_a_cell(self):
        ids = sorted({r["id"] for r in self.rows()})
        empty = self.table(
            "empty.csv",
            ["id", "annotation", "width", "height", "cell_type"],
            [(i, "", 160, 120, "cort") for i in ids],
        )
        for words in [["--json"], []]:
            run = self.passes("stats", "--data", empty, "--images", self.data / "train", *words)
            self.assertIn("3", run.stdout)
        self.passes(
            "show", "--data", empty, "--images", self.data / "train", "--out", self.root / "blank"
        )

    def test_convert_there_and_back(self):
        coco, back = self.root / "coco.json", self.root / "back.csv"
        run = self.passes("convert", self.data, coco, "--json")
        self.assertEqual(json.loads(run.stdout), {"images": 3, "instances": len(self.rows())})
        self.passes("convert", coco, back, "--images", self.data / "train")
        with open(back, newline="") as table:
            found = [(r["id"], r["annotation"], r["cell_type"]) for r in csv.DictReader(table)]
        self.assertEqual(
            sorted(found), sorted((r["id"], r["annotation"], r["cell_type"]) for r in self.rows())
        )
        labels = self.root / "labels"
        self.passes("convert", self.data, labels)
        self.assertEqual(len(list((labels / "labels").glob("*.png"))), 3)
        self.fails(2, "expected OUT", "convert", self.data, self.root / "x.xml")

    def test_submit_removes_overlaps(self):
        truth = self.table(
            "truth.csv", ["id", "predicted"], [(r["id"], r["annotation"]) for r in self.rows()]
        )
        out = self.root / "submission.csv"
        run = self.passes(
            "submit",
            "--predictions",
            truth,
            "--images",
            self.data / "train",
            "--out",
            out,
            "--json",
        )
        self.assertEqual(json.loads(run.stdout)["images"], 3)
        seen = {}
        with open(out, newline="") as table:
            for row in csv.DictReader(table):
                numbers = list(map(int, row["predicted"].split()))
                pixels = {p for s, n in zip(numbers[::2], numbers[1::2]) for p in range(s, s + n)}
                self.assertFalse(pixels & seen.setdefault(row["id"], set()))
                seen[row["id"]] |= pixels
        self.assertEqual(set(seen), {r["id"] for r in self.rows()})
        first = out.read_bytes()
        self.fails(
            1,
            "nobody",
            "submit",
            "--predictions",
            self.table("bad.csv", ["id", "predicted"], [("nobody", "1 1")]),
            "--images",
            self.data / "train",
            "--out",
            out,
        )
        self.assertEqual(out.read_bytes(), first)

    def test_show(self):
        out = self.root / "pictures"
        first = self.rows()[0]["id"]
        self.passes("show", "--data", self.data, "--out", out, "--ids", first)
        self.assertEqual(
            sorted(p.name for p in out.iterdir()), sorted([first + ".png", "contact_sheet.png"])
        )
        self.passes("show", "--data", self.data, "--out", out, "--predictions", self.disjoint())
        self.assertEqual(len(list(out.iterdir())), 4)
        self.fails(
            2, "no image nobody", "show", "--data", self.data, "--out", out, "--ids", "nobody"
        )

    def test_bench(self):
        found = json.loads(self.passes("bench", "peak", "--json").stdout)
        self.assertGreater(found["gflop_per_s"], 0)
        self.assertGreater(found["gb_per_s"], 0)
        self.assertGreaterEqual(found["bf16_gflop_per_s"], 0)
        line = ["bench", "data", "--size", "160x128", "input.crop=64", "train.batch=3", "--json"]
        found = json.loads(self.passes(*line).stdout)
        self.assertEqual((found["crop"], found["batch"]), (64, 3))
        self.assertGreater(found["images_per_s"], 0)
        self.assertIn("images/s", self.passes(*line[:-1]).stdout)

    def test_bench_of_a_model(self):
        tiny = ["model.backbone=resnet18", "model.backbone_width=16", "model.fpn_channels=16",
                "model.box_channels=32", "model.mask_channels=16", "train.rois=32",
                "--size", "160x128", "--repeats", "1", "--threads", "1", "--json"]
        found = json.loads(self.passes("bench", "model", "test.max_detections=7", *tiny).stdout)
        self.assertEqual((found["width"], found["height"], found["detections"]), (160, 128, 7))
        self.assertGreater(found["proposals"], 7)
        self.assertGreater(found["inference_s"], 0)
        self.assertGreater(found["stages_s"]["mask head"], 0)
        picture = ["--images", next((self.data / "train").glob("*.png")), "test.precision=bf16"]
        found = json.loads(self.passes("bench", "model", *picture, *tiny).stdout)
        self.assertEqual(found["precision"], "bf16")
        self.assertNotEqual((found["width"], found["height"]), (160, 128))
        found = json.loads(self.passes("bench", "train", *tiny).stdout)
        self.assertEqual(found["cells"], 20)
        self.assertGreater(found["train_step_s"], 0)
        self.fails(2, "test.max_detections", "bench", "model", "test.max_detection=1")

    def test_the_roofline_is_the_one_of_the_docs(self):
        page = Path(__file__).resolve().parents[2] / "docs" / "cuda.md"
        table = self.passes("bench", "roofline", "model.freeze=res2").stdout
        self.assertIn(table, page.read_text(encoding="utf-8"))
        small = self.passes("bench", "roofline", "--json", "--size", "352x272").stdout
        whole = self.passes("bench", "roofline", "--json").stdout
        for part, all_of_it in zip(json.loads(small)["passes"], json.loads(whole)["passes"]):
            self.assertLess(part["gflop"], all_of_it["gflop"])
            self.assertLess(part["T4"]["f32_s"], all_of_it["T4"]["f32_s"])
            self.assertLess(all_of_it["T4"]["f16_s"], all_of_it["T4"]["f32_s"])

    def test_quiet_says_nothing(self):
        run = self.passes("convert", self.data, self.root / "quiet.json", "--quiet")
        self.assertEqual((run.stdout, run.stderr), ("", ""))


if __name__ == "__main__":
    main()
