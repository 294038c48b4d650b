#!/usr/bin/env python3
"""Drives `soma predict` and what reads its results, with a model that was trained for a moment:
every file of the output folder, what is replaced, damaged images, nothing found.

Usage: cli_predict_test.py SOMA [NAME ...]
"""

import csv
import json
import shutil
import struct

from cli_support import TINY, Case, main, soma

# The model has hardly learnt: low thresholds let through enough to look at.
LOOSE = ["test.score=0.01", "test.submission_score=0.01"]
ALL = "submission,coco,overlay,measurements,labels,raw,csv,yolo,labelme,imagej,geojson"


def tensors_of(path):
    """{name: (dtype, shape, values)} of a safetensors file of f32, i32 and i64."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    tensors = {}
    header.pop("__metadata__")  # of predict's files: the names of the classes
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        letter, size = {"F32": ("f", 4), "I32": ("i", 4), "I64": ("q", 8)}[entry["dtype"]]
        values = struct.unpack(
            f"<{(end - begin) // size}{letter}", raw[8 + length + begin : 8 + length + end]
        )
        tensors[name] = (entry["dtype"], entry["shape"], values)
    return tensors


class PredictCase(Case):
    IMAGES, SIZE = 4, "128x96"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.root / "run"
        cls.images = cls.data / "train"
        run = soma("train", "--data", cls.data, "--out", cls.model, *TINY, "train.iterations=3")
        assert run.returncode == 0, run.stderr

    def line(self, out, *words, images=None):
        paths = images or [self.images]
        line = ["predict", "--model", self.model, "--images", *paths, "--out", self.root / out]
        return [*line, *words]

    def predict(self, out, *words, images=None):
        self.passes(*self.line(out, *words, images=images))
        return self.root / out

    def ids(self):
        return sorted({row["id"] for row in self.rows()})

    def files(self, folder):
        paths = (p for p in folder.rglob("*") if p.is_file())
        return {str(p.relative_to(folder)) for p in paths if not p.name.startswith(".")}


class Predict(PredictCase):
    def test_default_formats(self):
        out = self.predict("default")
        joint = {"submission.csv", "coco.json", "measurements.csv"}
        self.assertEqual(self.files(out), joint | {f"overlays/{i}.png" for i in self.ids()})

    def test_all_formats_tell_the_same(self):
        run = self.passes(*self.line("all", "--format", ALL, *LOOSE, "--json"))
        out = self.root / "all"
        found = json.loads((out / "coco.json").read_text())
        self.assertGreater(len(found), 0)
        by_image = {}
        for entry in found:
            by_image.setdefault(entry["file_name"], []).append(entry)
            self.assertIn(entry["category_id"], {1, 2, 3})
            self.assertEqual(entry["segmentation"]["size"], [96, 128])
        with open(out / "submission.csv", newline="") as table:
            rows = list(csv.DictReader(table))
        with open(out / "measurements.csv", newline="") as table:
            measured = list(csv.DictReader(table))
        cells = [row for row in rows if row["predicted"]]
        self.assertEqual({row["id"] for row in rows}, set(self.ids()))
        self.assertEqual(len(measured), len(cells))
        told = json.loads(run.stdout)
        self.assertGreater(told.pop("images_per_s"), 0)
        self.assertEqual(told, {"images": 4, "cells": len(cells)})
        for row, cell in zip(cells, measured):
            pixels = sum(map(int, row["predicted"].split()[1::2]))
            self.assertEqual(float(cell["area"]), pixels)
        for i in self.ids():
            self.assertIn(f"{i}: ", run.stderr)
            self.assertTrue((out / "labels" / f"{i}.png").exists())
            raw = tensors_of(out / "raw" / f"{i}.safetensors")
            entries = by_image.get(i + ".png", [])
            count = len(raw["scores"][2])
            self.assertGreaterEqual(count, len(entries))  # boxes outside the image are not pasted
            self.assertEqual(raw["boxes"][:2], ("F32", [count, 4]))
            self.assertEqual(raw["classes"][:2], ("I32", [count]))
            self.assertEqual(raw["masks"][:2], ("F32", [count, 28, 28]))
            self.assertEqual(raw["size"], ("I64", [2], (96, 128)))
            self.assertTrue(all(0 <= value <= 1 for value in raw["masks"][2]))
            scores = [struct.unpack("<f", struct.pack("<f", e["score"]))[0] for e in entries]
            self.assertTrue(set(scores) <= set(raw["scores"][2]))
        self.passes("eval", "--data", self.data, "--predictions", out / "coco.json")
        self.passes("eval", "--data", self.data, "--predictions", out / "submission.csv")

    def test_the_same_bits_for_any_number_of_threads(self):
        first = self.predict("one", "--format", ALL, *LOOSE, "--threads", 1)
        other = self.predict("three", "--format", ALL, *LOOSE, "--threads", 3)
        self.assertEqual(self.files(first), self.files(other))
        for name in self.files(first):
            self.assertEqual((first / name).read_bytes(), (other / name).read_bytes(), name)

    def test_bf16_is_another_precision(self):
        exact = json.loads((self.predict("f32") / "coco.json").read_text())
        half = json.loads((self.predict("bf16", "test.precision=bf16") / "coco.json").read_text())
        self.assertNotEqual(exact, half)
        self.assertEqual({e["category_id"] for e in half} - {1, 2, 3}, set())
        self.fails(2, "test.precision", *self.line("x", "test.precision=f64"))

    def test_category_ids_are_the_data_s(self):
        coco = self.data / "train" / "coco.json"
        self.addCleanup(coco.unlink)
        self.passes("convert", self.data, coco)
        data = json.loads(coco.read_text())
        for part, key in [(data["categories"], "id"), (data["annotations"], "category_id")]:
            for entry in part:
                entry[key] = 10 * entry[key] + 7
        coco.write_text(json.dumps(data))
        run = self.root / "numbered"
        self.passes("train", "--data", coco, "--out", run, *TINY, "train.iterations=2")
        out = self.root / "numbered_found"
        line = ["predict", "--model", run, "--images", *self.images.glob("*.png"), "--out", out]
        self.passes(*line, *LOOSE)
        found = json.loads((out / "coco.json").read_text())
        self.assertTrue(found)
        self.assertTrue({entry["category_id"] for entry in found} <= {17, 27, 37})
        self.passes("eval", "--data", coco, "--predictions", out / "coco.json")
        self.fails(2, "model.category_ids", *line, "model.category_ids=[4]")

    def test_data_that_lacks_a_class_of_the_model(self):
        out = self.predict("named", *LOOSE)
        classes = sorted({row["cell_type"] for row in self.rows()})
        found = json.loads((out / "coco.json").read_text())
        for entry in found:
            self.assertEqual(entry["category_name"], classes[entry["category_id"] - 1])
        some = classes[1:]
        rows = [row for row in self.rows() if row["cell_type"] in some]
        part = self.table("part.csv", list(rows[0]), [row.values() for row in rows])
        kept = {row["id"] + ".png" for row in rows}
        part_found = self.root / "part.json"
        part_found.write_text(json.dumps([e for e in found if e["file_name"] in kept]))
        words = ["eval", "--data", part, "--images", self.images, "--json", *LOOSE]
        by_file = json.loads(self.passes(*words, "--predictions", part_found).stdout)
        by_model = json.loads(self.passes(*words, "--model", self.model).stdout)
        self.assertTrue(set(some) <= set(by_file["AP_per_class"]))
        for key in ["images", "kaggle", "kaggle_interval", "AP", "AP50"]:
            self.assertEqual(by_file[key], by_model[key], key)
        for name in some:
            self.assertEqual(by_file["AP_per_class"][name], by_model["AP_per_class"][name])
        other = self.table("other.csv", list(rows[0]),
                           [{**row, "cell_type": "z"}.values() for row in rows])
        words[2] = other
        blind = [
            json.loads(self.passes(*words, *source).stdout)["kaggle"]
            for source in (["--predictions", part_found], ["--model", self.model])
        ]
        self.assertEqual(blind, [by_file["kaggle"]] * 2)

    def test_its_own_earlier_outputs_are_replaced_and_nothing_else(self):
        out = self.predict("again", "--format", "submission,overlay,labels")
        note = out / "overlays" / "note.png"
        note.write_text("mine")
        one = self.images / (self.ids()[0] + ".png")
        self.predict("again", "--format", "coco,overlay", images=[one])
        self.assertEqual(
            self.files(out), {"coco.json", f"overlays/{self.ids()[0]}.png", "overlays/note.png"}
        )
        (out / "labels" / one.name).write_text("a truth drawn by hand")
        before = {name: (out / name).read_bytes() for name in self.files(out)}
        words = ["--format", "labels"]
        self.fails(1, "is no earlier result of soma predict", *self.line("again", *words))
        self.assertEqual({name: (out / name).read_bytes() for name in self.files(out)}, before)

    def test_a_list_of_outputs_cannot_lead_outside(self):
        out = self.root / "hostile"
        out.mkdir()
        victim = self.root / "victim.txt"
        victim.write_text("")
        (out / ".soma-predict").write_text(f"../victim.txt\n{victim}\n\n.\n..\n")
        self.predict("hostile", "--format", "coco")
        self.assertTrue(victim.exists())

    def test_dry_run_writes_nothing(self):
        run = self.passes(*self.line("dry", "--dry-run"))
        self.assertRegex(run.stdout, r"^4 images would take \d+:\d\d here with 1 model x 1 view; ")
        self.assertRegex(run.stdout, r"\nOn a T4 they would take about \d+:\d\d, .* Not measured: ")
        told = json.loads(self.passes(*self.line("dry", "--dry-run", "--json")).stdout)
        self.assertEqual(told["images"], 4)
        self.assertGreater(told["seconds"], 0)
        self.assertFalse((self.root / "dry").exists())

    def test_dry_run_of_a_hidden_test_set(self):
        folder = self.root / "hidden"
        folder.mkdir()
        source = self.images / (self.ids()[0] + ".png")
        for i in range(240):
            (folder / f"{i}.png").hardlink_to(source)
        card = lambda told: told["t4_seconds"] - told["host_seconds"]
        line = self.line("dry", "--dry-run", "--json", images=[folder])
        one = json.loads(self.passes(*line).stdout)
        self.assertEqual((one["images"], one["models"], one["views"]), (240, 1, 1))
        line += ["--model", self.model] * 4 + ["test.views=[plain,h,v,hv]", "--threads", 2]
        told = json.loads(self.passes(*line).stdout)
        self.assertEqual((told["images"], told["models"], told["views"]), (240, 5, 4))
        self.assertEqual(told["threads"], 2)
        self.assertGreater(told["host_seconds"], 0)
        self.assertAlmostEqual(card(told), 20 * card(one), delta=1e-6 * card(told))
        self.assertGreater(told["t4_seconds"], told["host_seconds"])
        # The card's share follows the pixels that the network sees.
        large = json.loads(self.passes(*line, "input.zoom=4").stdout)
        self.assertGreater(card(large), card(told))

    def test_wrong_usage(self):
        self.fails(2, "or geojson, got picture", *self.line("x", "--format", "picture"))
        self.fails(2, "did you mean test.score?", *self.line("x", "test.scor=1"))
        self.fails(2, "--model", "predict", "--images", self.images, "--out", self.root / "x")
        self.assertFalse((self.root / "x").exists())

    def test_models_that_cannot_be_used(self):
        broken = self.root / "broken"
        shutil.copytree(self.model, broken)
        weights = broken / "weights" / "best.safetensors"
        whole = weights.read_bytes()
        line = ["predict", "--model", broken, "--images", self.images, "--out", self.root / "x"]
        for content in [b"", whole[:7], whole[:1000], whole[:-1], b"\xff" * 8 + whole[8:]]:
            weights.write_bytes(content)
            self.fails(1, "best.safetensors: ", *line)
        weights.write_bytes(whole)
        self.fails(1, "best.safetensors: ", *line, "model.fpn_channels=4")
        self.fails(1, "nowhere: ", "predict", "--model", "nowhere", *line[3:])
        (broken / "config.toml").write_text("[model]\nbackbone = 3\n")
        self.fails(2, "config.toml", *line)
        self.assertFalse((self.root / "x").exists())


class Images(PredictCase):
    def test_images_that_cannot_be_read(self):
        folder = self.root / "damaged"
        folder.mkdir()
        whole = (self.images / (self.ids()[0] + ".png")).read_bytes()
        self.fails(1, "holds no image", *self.line("x", images=[folder]))
        self.fails(1, "there is no such file", *self.line("x", images=[folder / "*.png"]))
        (folder / "note.png").write_text("no image")
        self.fails(1, "holds no image that can be used", *self.line("x", images=[folder]))
        (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
        run = soma(*self.line("x", images=[folder]))
        self.assertEqual(run.returncode, 1)
        self.assertIn("none of 1 images can be read", run.stderr.splitlines()[-1])
        self.assertFalse((self.root / "x" / "submission.csv").exists())
        (folder / "good.png").write_bytes(whole)
        run = self.passes(*self.line("some", images=[folder]))
        self.assertIn("warning: left out: ", run.stderr)
        self.assertIn("cut.png", run.stderr)
        self.assertIn("cells in 1 images", run.stdout)
        rows = (self.root / "some" / "submission.csv").read_text().splitlines()
        self.assertEqual({row.split(",")[0] for row in rows[1:]}, {"good"})

    def test_nothing_found(self):
        out = self.predict("nothing", "--format", ALL, "test.score=1")
        self.assertEqual((out / "coco.json").read_text(), "[]\n")
        rows = (out / "submission.csv").read_text().splitlines()
        self.assertEqual(rows, ["id,predicted", *(i + "," for i in self.ids())])
        self.assertEqual(len((out / "measurements.csv").read_text().splitlines()), 1)
        raw = tensors_of(out / "raw" / f"{self.ids()[0]}.safetensors")
        self.assertEqual(raw["masks"][:2], ("F32", [0, 28, 28]))
        for name in ["coco.json", "submission.csv"]:
            run = self.passes(
                "eval", "--data", self.data, "--predictions", out / name, "--json"
            )
            self.assertEqual(json.loads(run.stdout)["kaggle"], 0)
            self.passes(
                "show",
                "--data",
                self.data,
                "--predictions",
                out / name,
                "--out",
                self.root / f"show_{name}",
            )
            again = self.root / "again.csv"
            self.passes(
                "submit", "--predictions", out / name, "--images", self.images, "--out", again
            )
            self.assertEqual(again.read_bytes(), (out / "submission.csv").read_bytes())
        run = self.passes(
            "eval", "--data", self.data, "--model", self.model, "test.score=1", "--json"
        )
        self.assertEqual(json.loads(run.stdout)["AP"], 0)


if __name__ == "__main__":
    main()
