#!/usr/bin/env python3
"""Drives what other tools' files and the care of data need: convert between all forms, predict to
them, clean, and training on what was predicted.

Usage: cli_formats_test.py SOMA [NAME ...]
"""

import csv
import json
import shutil

from cli_support import TINY, Case, main

FORMS = {"yolo": "labels/{}.txt", "labelme": "{}.json", "imagej": "{}.zip", "geojson": "{}.geojson"}


def cells_of(path):
    with open(path, newline="") as table:
        return sorted((r["id"], r["annotation"], r["cell_type"]) for r in csv.DictReader(table))


class Forms(Case):
    def test_every_form_there_and_back(self):
        for form, name in FORMS.items():
            out, back = self.root / "sets" / form, self.root / f"{form}.csv"
            run = self.passes("convert", self.data, out, "--json")  # by the folder's name
            self.assertEqual(json.loads(run.stdout)["instances"], len(self.rows()))
            for row in self.rows():
                self.assertTrue((out / name.format(row["id"])).exists())
            self.passes("convert", out, back, "--images", self.data / "train")
            self.assertEqual(cells_of(back), cells_of(self.data / "train.csv"), form)
            other = self.root / "sets" / "other place"
            self.passes("convert", self.data, other, "--format", form)
            self.assertEqual(
                (other / name.format(self.rows()[0]["id"])).read_bytes(),
                (out / name.format(self.rows()[0]["id"])).read_bytes(),
            )
            shutil.rmtree(other)

    def test_one_file_for_one_image(self):
        first = self.rows()[0]["id"]
        one = self.table(
            "one.csv", self.rows()[0].keys(), [r.values() for r in self.rows() if r["id"] == first]
        )
        folder = self.root / "beside"
        folder.mkdir()
        shutil.copy(self.data / "train" / f"{first}.png", folder)
        for name in [f"{first}.zip", f"{first}.geojson"]:
            self.passes("convert", one, folder / name, "--images", self.data / "train")
            back = self.root / "one_back.csv"
            self.passes("convert", folder / name, back)
            self.assertEqual(cells_of(back), cells_of(one), name)
        self.fails(1, "the data has 3 images", "convert", self.data, self.root / "many.zip")
        self.fails(2, "--format", "convert", self.data, self.root / "x", "--format", "word")
        self.fails(1, "is no data set", "convert", folder.parent / "sets", self.root / "x.csv")

    def test_broken_files(self):
        folder = self.root / "broken"
        folder.mkdir()
        shutil.copy(self.data / "train" / f"{self.rows()[0]['id']}.png", folder / "a.png")
        for name, bytes, expected in [
            ("a.zip", b"PK\3\4nonsense", "its end is missing"),
            ("a.roi", b"Iout\0", "is cut short"),
            ("a.geojson", b'{"type": "FeatureCollection", "features": [', "not valid JSON at byte"),
            ("a.json", b'{"shapes": {}, "imagePath": "a.png"}', "list of shapes, found object"),
        ]:
            (folder / name).write_bytes(bytes)
            self.fails(1, expected, "convert", folder / name, self.root / "x.csv")
            (folder / name).unlink()
        self.assertFalse((self.root / "x.csv").exists())


class Clean(Case):
    def broken_data(self):
        """The set with a hole, a cut, a copy and a speck, and an image that is there twice."""
        folder = self.root / "faults"
        shutil.copytree(self.data / "train", folder / "train")
        rows = [dict(row) for row in self.rows() if row["annotation"]]
        first = rows[0]["id"]
        keep = [row for row in rows if row["id"] != first]
        width = int(rows[0]["width"])

        def runs(box, missing=()):
            x, y, w, h = box
            spans = []
            for row in range(y, y + h):
                columns = [c for c in range(x, x + w) if (c - x, row - y) not in missing]
                spans += [f"{row * width + c + 1} 1" for c in columns]
            return " ".join(spans)

        cut = {(c, 4) for c in range(10)}
        masks = [runs((2, 2, 10, 10), {(4, 4)}), runs((20, 2, 10, 10), cut),
                 runs((40, 2, 10, 10)), runs((40, 2, 10, 10)), runs((60, 2, 1, 1)),
                 runs((80, 2, 10, 10)), runs((87, 2, 8, 8))]
        for mask in masks:
            keep.append(dict(rows[0], annotation=mask))
        shutil.copy(folder / "train" / f"{first}.png", folder / "train" / "twin.png")
        keep.append(dict(rows[0], id="twin", annotation=masks[2]))
        with open(folder / "train.csv", "w", newline="") as out:
            writer = csv.DictWriter(out, rows[0].keys())
            writer.writeheader()
            writer.writerows(keep)
        return folder, first

    def test_faults_are_mended_and_shown(self):
        folder, first = self.broken_data()
        out = self.root / "clean.csv"
        run = self.passes("clean", "--data", folder, "--out", out, "--json")
        found = json.loads(run.stdout)["found"]
        self.assertEqual(found["images"], 1)
        for kind in ["cuts", "holes", "copies", "tiny"]:
            self.assertGreaterEqual(found[kind], 1, kind)
        self.assertGreaterEqual(found["overlaps"], 2)
        with open(out, newline="") as table:
            mine = [r["annotation"] for r in csv.DictReader(table) if r["id"] == first]
        areas = [sum(map(int, runs.split()[1::2])) for runs in mine]
        self.assertEqual(areas, [100, 100, 100, 76, 64])  # (80, 2) leaves 3 x 8 to its neighbour
        self.assertTrue((self.root / "clean_pictures" / f"{first}.png").exists())
        again = self.root / "again.csv"
        words = ["--images", folder / "train", "--show", self.root / "shown"]
        run = self.passes("clean", "--data", out, "--out", again, *words, "--json")
        self.assertEqual(json.loads(run.stdout)["changed_images"], 0)
        self.assertEqual(out.read_bytes(), again.read_bytes())
        self.assertFalse((self.root / "shown").exists())
        run = self.passes("clean", "--data", folder, "--out", again, "--mend", "tiny,holes")
        self.assertIn("copies of a mask", run.stdout)
        self.assertIn("(left as they are)", run.stdout)
        words = ["clean", "--data", folder, "--out", again]
        self.fails(2, "did you mean holes?", *words, "--mend", "hole")
        self.fails(2, "a table (.csv)", "clean", "--data", folder, "--out", self.root / "x.json")


class Extra(Case):
    IMAGES, SIZE = 12, "128x96"

    def test_predictions_are_forms_and_train_again(self):
        model = self.root / "run"
        train = ["train", "--data", self.data, *TINY, "train.iterations=1"]
        self.passes(*train, "--out", model)
        out = self.root / "found"
        self.passes("predict", "--model", model, "--images", self.data / "test", "--out", out,
                    "--format", "csv,coco,yolo,labelme,imagej,geojson", "test.score=0.01",
                    "test.submission_score=0.01")
        found = cells_of(out / "annotations.csv")
        self.assertGreater(len([c for c in found if c[1]]), 0)
        for form in FORMS:
            back = self.root / f"{form}.csv"
            self.passes("convert", out / form, back, "--images", self.data / "test")
            self.assertEqual(cells_of(back), found, form)
        words = ["--extra", out / "annotations.csv", "--extra-images", self.data / "test"]
        log = self.passes(*train, "--out", self.root / "more", *words).stdout
        self.assertIn("training on 14 images, validating on 1\n", log)
        self.assertIn("extra hash", (self.root / "more" / "env.txt").read_text())
        # What is held out is never trained on; classes that the model has not are dropped.
        val = ["--val", self.data / "test.csv", "--val-images", self.data / "test"]
        run = self.passes(*train, "--out", self.root / "leak", *words, *val)
        self.assertIn("training on 12 images, validating on 3\n", run.stdout)
        self.assertIn("3 extra images left out: they are held out", run.stdout + run.stderr)
        alien = self.table("alien.csv", ["id", "annotation"], [(r[0], r[1]) for r in found])
        words[1] = alien
        run = self.passes(*train, "--out", self.root / "alien", *words)
        self.assertIn("class is none of the model's", run.stdout + run.stderr)
        self.fails(2, "one for each --extra, 2, got 1", *train, "--out", self.root / "x",
                   "--extra", alien, *words)


if __name__ == "__main__":
    main()
