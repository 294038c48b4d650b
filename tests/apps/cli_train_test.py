#!/usr/bin/env python3
"""Drives `soma train` as a user does: the run folder, the same bits by every way to the end,
interrupts, what stops a run, data that is broken or empty.

Usage: cli_train_test.py SOMA [NAME ...]
"""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from cli_support import SOMA, TINY, Case, main, soma

LOSSES = ["loss_rpn_cls", "loss_rpn_box", "loss_cls", "loss_box", "loss_mask"]
PICTURES = ("plots", "validation")  # folders; cli_pages_test.py looks at them
KEYS = ["iteration", "total_loss", *LOSSES, "lr", "images_per_s", "max_mem_mb"]


def files_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


class TrainCase(Case):
    IMAGES, SIZE = 12, "128x96"

    def line(self, name, *words, data=None):
        return ["train", "--data", data or self.data, "--out", self.root / name, *TINY, *words]

    def train(self, name, *words, data=None):
        self.passes(*self.line(name, *words, data=data))
        return self.root / name

    def start(self, name, *words):
        """A run in the background, after its first iteration."""
        run = subprocess.Popen(
            [SOMA, *map(str, self.line(name, *words))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(run.stdout.close)
        self.addCleanup(run.stderr.close)
        self.addCleanup(run.kill)
        for line in run.stdout:
            if "iter:" in line:
                return run
        self.fail("the run ended: " + run.stderr.read())

    def metrics(self, run):
        return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]

    def same_weights(self, a, b):
        for name in ["last", "best", "state"]:
            path = f"weights/{name}.safetensors"
            self.assertEqual((a / path).read_bytes(), (b / path).read_bytes(), f"{b}: {name}")


class Run(TrainCase):
    def test_the_folder(self):
        run = self.train("run", "train.iterations=6")
        names = {str(name) for name in files_of(run) if name.parts[0] not in PICTURES}
        events = {name for name in names if name.startswith("events.out.tfevents.")}
        self.assertEqual(len(events), 1)
        expected = {"config.toml", "env.txt", "log.txt", "metrics.jsonl", "results.csv", ".lock"}
        expected |= {"report.html", *events}
        weights = {f"weights/{name}.safetensors" for name in ["last", "best", "state"]}
        self.assertEqual(names, expected | weights)
        lines = self.metrics(run)
        training = [line for line in lines if "kaggle" not in line]
        self.assertEqual([line["iteration"] for line in training], [1, 2, 3, 4, 5, 6])
        for line in training:
            self.assertTrue(all(type(line[key]) in (int, float) for key in KEYS), line)
            self.assertAlmostEqual(line["total_loss"], sum(line[key] for key in LOSSES))
        self.assertEqual(
            [(set(line), line["iteration"]) for line in lines if "kaggle" in line],
            [({"iteration", "kaggle", "AP"}, at) for at in (3, 5, 6)],
        )
        log = (run / "log.txt").read_text()
        self.assertIn("training on 11 images, validating on 1\n", log)
        self.assertRegex(log, r"eta: \S+ +iter: 6 +total_loss: .* lr: .* img/s: .* max_mem: \d+M")
        self.assertIn("seed", (run / "env.txt").read_text())
        again = self.passes("info", "--keys", "--config", run / "config.toml").stdout
        self.assertEqual(again, (run / "config.toml").read_text())

        before = files_of(run)
        self.fails(1, "holds a run; give --resume", *self.line("run", "train.iterations=6"))
        self.assertEqual(files_of(run), before)
        out = self.passes(*self.line("run", "--resume")).stdout
        self.assertIn("nothing is left to do", out)
        self.assertEqual(
            {name: bytes for name, bytes in files_of(run).items() if name.parts[0] == "weights"},
            {name: bytes for name, bytes in before.items() if name.parts[0] == "weights"},
        )

    def test_json_and_quiet(self):
        run = self.passes(*self.line("json", "train.iterations=1", "--json"))
        self.assertEqual(json.loads(run.stdout), {"iteration": 1, "best_score": 0.0})
        self.assertIn("iter: 1", run.stderr)
        run = self.passes(*self.line("quiet", "train.iterations=1", "--quiet"))
        self.assertEqual((run.stdout, run.stderr), ("", ""))

    def test_wrong_usage(self):
        self.fails(2, "did you mean train.iterations?", *self.line("x", "train.iteration=3"))
        self.fails(2, "train.batch", *self.line("x", "train.batch=0"))
        self.fails(2, "--data", "train", "--out", self.root / "x")
        self.fails(2, "--out", "train", "--data", self.data)
        self.fails(2, "not both", *self.line("x", "--val", self.data, "--folds", 2, "--fold", 0))
        self.fails(1, "holds no run to resume", *self.line("x", "--resume"))
        self.fails(1, "at most 12", *self.line("x", "--folds", 13, "--fold", 0))
        if not Path("/dev/nvidia0").exists():
            self.fails(1, "--device: cuda cannot be used: ", *self.line("x", "--device", "cuda"))
        self.assertFalse((self.root / "x").exists())

    def test_bf16_follows_f32(self):
        words = ["train.iterations=3", "train.eval_images=0", "--device", "cpu"]
        full = self.metrics(self.train("full", *words))
        rounded = self.metrics(self.train("rounded", *words, "train.precision=bf16"))
        for expected, line in zip(full, rounded, strict=True):  # RoIs follow the order of scores
            for loss in ("loss_rpn_cls", "loss_mask"):
                self.assertAlmostEqual(line[loss] / expected[loss], 1, delta=0.03, msg=line)
            self.assertNotEqual(line["total_loss"], expected["total_loss"])

    def test_validation_data_and_folds(self):
        words = ["train.iterations=1", "train.eval_images=3"]
        log = self.passes(*self.line("val", "--val", self.data, *words)).stdout
        self.assertIn("training on 12 images, validating on 12\n", log)
        self.assertIn("validation on 3 images", log)
        log = self.passes(*self.line("fold", "--folds", 3, "--fold", 1, *words)).stdout
        self.assertIn("training on 8 images, validating on 4\n", log)
        kept = (self.root / "fold/config.toml").read_text()
        self.assertIn("folds = 3\nfold = 1\n", kept)
        log = self.passes(*self.line("fold", "--resume", "train.iterations=2")).stdout
        self.assertIn("training on 8 images, validating on 4\n", log)
        log = self.passes(*self.line("never", "train.iterations=1", "train.eval_images=0")).stdout
        self.assertNotIn("validation on", log)
        run = self.train("often", "train.iterations=5", "train.eval_every=2")
        scored = [line["iteration"] for line in self.metrics(run) if "kaggle" in line]
        self.assertEqual(scored, [2, 4, 5])

    def test_by_the_clock(self):
        run = self.train("clock", "train.minutes=0.01", "train.iterations=1000000")
        self.assertTrue(all(line["lr"] >= 0 for line in self.metrics(run) if "lr" in line))
        self.assertTrue((run / "weights/best.safetensors").exists())


class Bits(TrainCase):
    ITERATIONS = "train.iterations=12"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.straight = cls.root / "straight"
        words = ["train", "--data", cls.data, "--out", cls.straight, *TINY, cls.ITERATIONS]
        run = soma(*words, "--threads", 2)
        assert run.returncode == 0, run.stderr

    def goes_on(self, name, *words):
        """Resumes with the line that began the run, which is what a user repeats."""
        run = self.passes(*self.line(name, self.ITERATIONS, "--resume", *words))
        self.same_weights(self.straight, self.root / name)
        numbers = [
            [(line["iteration"], line.get("total_loss"), line.get("kaggle")) for line in lines]
            for lines in (self.metrics(self.straight), self.metrics(self.root / name))
        ]
        self.assertEqual(*numbers)
        return run.stdout

    def test_any_number_of_threads(self):
        for threads in (1, 3):
            name = f"threads{threads}"
            self.same_weights(
                self.straight, self.train(name, self.ITERATIONS, "--threads", threads)
            )

    def test_another_seed_is_another_run(self):
        other = self.train("seed", self.ITERATIONS, "--seed", 7)
        path = "weights/last.safetensors"
        self.assertNotEqual((other / path).read_bytes(), (self.straight / path).read_bytes())

    def test_stopped_and_resumed(self):
        stopped = self.train("stopped", self.ITERATIONS, "train.stop=5")
        self.assertEqual(self.metrics(stopped)[-1]["iteration"], 5)
        self.assertEqual(
            (stopped / "config.toml").read_bytes(), (self.straight / "config.toml").read_bytes()
        )
        self.passes(*self.line("stopped", self.ITERATIONS, "--resume", "train.stop=6"))
        self.assertIn("resumed after iteration 6\n", self.goes_on("stopped"))

    def test_what_the_data_decided_is_kept(self):
        """A resumed run has its configuration's mean; it does not take the data's anew."""
        stopped = self.train("kept", self.ITERATIONS, "input.normalize=dataset", "train.stop=5")
        text = (stopped / "config.toml").read_text()
        number = text.split("\nmean = [")[1].split(",")[0]
        self.assertTrue(50 < float(number) < 200, number)
        (stopped / "config.toml").write_text(text.replace(number, "1.5"))
        self.passes(*self.line("kept", self.ITERATIONS, "--resume"))
        self.assertIn("mean = [1.5, 1.5, 1.5]", (stopped / "config.toml").read_text())

    def test_interrupted_and_resumed(self):
        words = ["train.iterations=60", "train.save_every=1000", "train.eval_every=1"]
        straight = self.train("uninterrupted", *words)
        for number in (signal.SIGINT, signal.SIGTERM):
            resume = ["--resume"] if number == signal.SIGTERM else []
            run = self.start("interrupted", *words, *resume)
            run.send_signal(number)
            self.assertEqual(run.wait(60), 130, run.stderr.read())
            self.assertEqual(run.stderr.read(), "")
            reached = self.metrics(self.root / "interrupted")[-1]["iteration"]
            self.assertLess(reached, 60)
        log = self.passes(*self.line("interrupted", *words, "--resume")).stdout
        self.assertIn(f"resumed after iteration {reached}\n", log)
        self.same_weights(straight, self.root / "interrupted")

    def test_killed_while_it_saves(self):
        words = [self.ITERATIONS, "train.save_every=1"]
        for pause in (0, 0.05):
            resume = ["--resume"] if pause else []
            run = self.start("killed", *words, *resume)
            time.sleep(pause)
            run.kill()
            run.wait(60)
        self.goes_on("killed", "train.save_every=1")
        left = {p.name for p in (self.root / "killed" / "weights").iterdir()}
        self.assertEqual(left, {f"{name}.safetensors" for name in ["last", "best", "state"]})

    def test_killed_before_the_first_save(self):
        run = self.start("early", self.ITERATIONS)
        run.kill()
        run.wait(60)
        if (self.root / "early" / "weights/state.safetensors").exists():
            return  # it was faster than the signal
        self.assertIn("resumed after iteration 0\n", self.goes_on("early"))

    def test_one_run_a_folder_at_a_time(self):
        run = self.start("busy", "train.iterations=100000")
        self.fails(1, "another process is writing this run", *self.line("busy", "--resume"))
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.wait(60), 130)

    def test_another_configuration_does_not_resume(self):
        stopped = self.train("changed", self.ITERATIONS, "train.stop=1")
        before = files_of(stopped / "weights")
        for words in ["model.fpn_channels=4", "train.ema=0", "train.optimizer=sgd"]:
            self.fails(1, "state.safetensors: ", *self.line("changed", "--resume", "--quiet", words))
        self.assertEqual(files_of(stopped / "weights"), before)
        state = stopped / "weights/state.safetensors"
        state.write_bytes(state.read_bytes()[:-1])
        self.fails(1, str(state), *self.line("changed", "--resume", "--quiet"))


class Failures(TrainCase):
    def test_a_loss_that_is_not_finite(self):
        words = ["train.optimizer=sgd", "train.lr=1000", "train.clip_norm=0", "train.warmup=0"]
        run = self.fails(
            1, "train: iteration ", *self.line("nan", "train.iterations=50", "--quiet", *words)
        )
        ids = {row["id"] for row in self.rows()}
        named = run.stderr.split("images ")[1].split(":")[0].split(";")[0].split(", ")
        self.assertEqual(len(named), 2, run.stderr)
        self.assertTrue(set(named) <= ids, run.stderr)
        self.assertIn("train.lr", run.stderr)
        self.assertTrue(self.metrics(self.root / "nan"))
        self.assertEqual(files_of(self.root / "nan" / "weights"), {})

    def bad_data(self, name):
        """A copy of the data to be broken; the pictures are shared."""
        folder = self.root / name
        folder.mkdir()
        (folder / "train").mkdir()
        for path in (self.data / "train").iterdir():
            os.link(path, folder / "train" / path.name)
        (folder / "train.csv").write_bytes((self.data / "train.csv").read_bytes())
        return folder

    def test_annotations_that_cannot_be_used(self):
        folder = self.bad_data("annotations")
        table = (folder / "train.csv").read_text().splitlines()
        rest = table[1].split(",", 2)
        for runs in ["1 1 5", "0 4", "-3 4", "1 0", "12288 2", "5 9 7 3", "9" * 20 + " 1", "x 1"]:
            table.append(f"{rest[0]},{runs},{rest[2]}")
        (folder / "train.csv").write_text("\r\n".join(table) + "\r\n")
        log = self.passes(*self.line("dropped", "train.iterations=1", data=folder)).stdout
        self.assertIn("warning: 8 annotations dropped: broken run lengths (first: ", log)
        self.assertIn("8 annotations", (self.root / "dropped/log.txt").read_text())

    def test_images_that_cannot_be_used(self):
        folder = self.bad_data("images")
        ids = sorted({row["id"] for row in self.rows()})
        for name, content in zip(ids, [b"", b"no image", None]):
            path = folder / "train" / (name + ".png")
            path.unlink()
            if content is not None:
                path.write_bytes(content)
        log = self.passes(*self.line("left", "train.iterations=1", data=folder)).stdout
        self.assertIn("warning: 2 images left out: its file cannot be read (first: ", log)
        self.assertIn("warning: 1 image left out: no file of that name", log)
        self.assertIn("training on 9 images, validating on 0\n", log)

        # The header promises what the rest does not hold: found when the pixels are read.
        broken = folder / "train" / (ids[5] + ".png")
        whole = broken.read_bytes()
        broken.unlink()
        broken.write_bytes(whole[: len(whole) // 2])
        words = ["input.normalize=dataset", "train.iterations=50"]
        self.fails(1, str(broken), *self.line("cut", *words, data=folder))
        self.assertFalse((self.root / "cut").exists())
        words = ["input.normalize=imagenet", "train.iterations=50", "--quiet"]
        self.fails(1, str(broken), *self.line("cut", *words, data=folder))
        self.assertEqual(files_of(self.root / "cut" / "weights"), {})
        broken.write_bytes(whole)
        self.passes(*self.line("cut", "train.iterations=1", "--resume", data=folder))

    def test_tables_that_cannot_be_used(self):
        folder = self.bad_data("tables")
        table = folder / "train.csv"
        header, row, *_ = table.read_text().splitlines()
        name, rest = row.split(",", 1)
        for content in [
            "",
            "id,width\n",
            f"{header}\n",
            f"{header}\n{name}\n",
            f'{header}\n"{name},{rest}\n',
            f"{header}\n../train/{name},{rest}\n",
            f"{header}\nnobody,{rest}\n",
            f"{header}\n{name},1 1 1,{rest.split(',', 1)[1]}\n",
        ]:
            table.write_text(content)
            self.fails(1, str(table), *self.line("none", data=folder))
        table.write_text("\ufeff" + f'{header}\r\n{name},"{rest.split(",")[0]}",'
                         f'{rest.split(",", 1)[1]}\r\n', encoding="utf-8")
        self.passes(*self.line("one", "train.iterations=1", data=folder))
        self.assertFalse((self.root / "none").exists())

    def test_json_that_cannot_be_used(self):
        image = {"id": 1, "file_name": self.rows()[0]["id"] + ".png", "width": 128, "height": 96}
        cell = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[9, 9, 30, 9, 9, 30]]}
        good = {"images": [image], "annotations": [cell], "categories": [{"id": 1, "name": "c"}]}
        path = self.data / "train" / "coco.json"
        self.addCleanup(path.unlink)
        text = json.dumps(good)
        two_points = {**cell, "segmentation": [[9, 9, 30, 9]]}
        for content in [
            text[: len(text) // 2],
            "[" * 100000,
            '{"images": 3}',
            json.dumps({**good, "images": []}),
            json.dumps({**good, "images": [{**image, "file_name": "../../etc/passwd"}]}),
            json.dumps({**good, "images": [{**image, "file_name": "nobody.png"}]}),
            json.dumps({**good, "images": [{**image, "width": 127}]}),
            json.dumps({**good, "images": [{**image, "id": "x"}]}),
            text.replace("30", "NaN"),
            json.dumps({**good, "annotations": [two_points]}),
            json.dumps({**good, "annotations": [{**cell, "category_id": 9}]}),
        ]:
            path.write_text(content)
            self.fails(1, str(path), *self.line("nojson", data=path))
        self.assertFalse((self.root / "nojson").exists())
        path.write_text(json.dumps({**good, "annotations": [cell, {**two_points, "id": 2}]}))
        log = self.passes(*self.line("json", "train.iterations=1", data=path)).stdout
        self.assertIn("1 annotation dropped", log)

    def test_a_place_that_cannot_be_written(self):
        (self.root / "file").write_text("")
        self.fails(1, "file/run", *self.line("file/run", "train.iterations=1"))
        self.fails(1, "/proc", *self.line("/proc/soma", "train.iterations=1"))


class Empty(TrainCase):
    def blank(self):
        ids = sorted({row["id"] for row in self.rows()})
        return self.table(
            "blank.csv",
            ["id", "annotation", "width", "height", "cell_type"],
            [(i, "", 128, 96, "cort") for i in ids],
        )

    def test_data_without_a_cell(self):
        images = ["--images", self.data / "train"]
        log = self.passes(
            *self.line("blank", *images, "train.iterations=3", data=self.blank())
        ).stdout
        self.assertIn("validation on 1 images", log)
        lines = [line for line in self.metrics(self.root / "blank") if "lr" in line]
        self.assertEqual({line["loss_mask"] for line in lines}, {0})
        self.assertEqual({line["loss_box"] for line in lines}, {0})
        found = [line for line in self.metrics(self.root / "blank") if "kaggle" in line]
        self.assertTrue(all(line["AP"] is None for line in found))

    def test_validation_that_finds_nothing(self):
        run = self.train("nothing", "train.iterations=2", "test.score=1")
        found = [line for line in self.metrics(run) if "kaggle" in line]
        self.assertEqual([(line["kaggle"], line["AP"]) for line in found], [(0, 0), (0, 0)])


if __name__ == "__main__":
    main()
