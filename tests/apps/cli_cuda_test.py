#!/usr/bin/env python3
"""Drives `soma train` and `soma predict` on the emulated device: the losses and the detections are
the CPU's, and the host waits as seldom as is promised.

Usage: cli_cuda_test.py SOMA [NAME ...]
"""

import json
import os

from cli_support import TINY, Case, main


SMALL = [*TINY, "model.backbone=resnet18", "model.backbone_width=4", "train.batch=1"]
# Every candidate is sampled: a proposal that rounding moves across a limit is one of many then.
SMALL += ["model.rpn_pre_nms_train=20", "model.rpn_post_nms_train=20", "train.rois=64"]


# The structure of the standard R50-FPN, on which alone the number of launches depends.
R50_FPN = ["model.preset=torchvision", "model.backbone=resnet50", "model.backbone_width=4"]
R50_FPN += ["model.fpn_channels=8", "model.box_channels=16", "model.mask_channels=8"]
R50_FPN += ["train.rois=16", "train.batch=1", "input.min_size=64", "input.max_size=96"]
R50_FPN += ["model.norm=frozen", "model.freeze=res2"]
TORCHVISIONS_OPERATORS = 1295  # tools/peers/count_operators.py


class Emulator(Case):
    IMAGES, SIZE = 4, "96x64"

    def train(self, name, *words):
        data = ["--data", self.data, "--out", self.root / name]
        self.passes("train", *data, *SMALL, "train.eval_images=0", *words)
        lines = (self.root / name / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def test_twenty_iterations_follow_the_cpu(self):
        words = ["train.iterations=20", "train.log_every=8"]
        cpu = self.train("cpu", *words, "--device", "cpu")
        emulated = self.train("emulated", *words, "--device", "emulator")
        self.assertEqual([line["iteration"] for line in emulated], list(range(1, 21)))
        for expected, line in zip(cpu, emulated):
            self.assertNotIn("gpu_launches", expected)
            error = abs(line["total_loss"] - expected["total_loss"])
            self.assertLess(error, 0.01 * expected["total_loss"], line)
            self.assertGreater(line["gpu_launches"], 100)
        # Losses are read every log_every iterations and before the save at the end.
        waited = [line["iteration"] for line in emulated if line["host_syncs"] > 0]
        self.assertEqual(waited, [8, 16, 20])
        self.assertEqual(max(line["host_syncs"] for line in emulated), 1)
        self.assertIn("device: emulator (cuda)", (self.root / "emulated/env.txt").read_text())

    def test_a_step_of_r50_fpn_launches_little(self):
        for words in [], ["--gpu-libraries", "off"]:
            out = self.root / " ".join(["r50", *words])
            self.passes("train", "--data", self.data, "--out", out, "--device", "emulator", *R50_FPN,
                        "train.iterations=2", "train.eval_images=0", *words)
            lines = (out / "metrics.jsonl").read_text().splitlines()
            launches = json.loads(lines[1])["gpu_launches"]
            print("launches of a training step,", *words or ["libraries on"], launches)
            self.assertLess(launches, 0.6 * TORCHVISIONS_OPERATORS)
            self.assertGreater(launches, 0.3 * TORCHVISIONS_OPERATORS)  # all of them are counted

    def test_graphs_change_nothing_but_the_launches(self):
        words = ["train.iterations=6", "train.log_every=3", "--device", "emulator"]
        plain = self.train("plain", *words, "--cuda-graphs", "off")
        graphs = self.train("graphs", *words)
        self.assertEqual(*[[line["total_loss"] for line in lines] for lines in (plain, graphs)])
        fewer = [a["gpu_launches"] - b["gpu_launches"] for a, b in zip(plain, graphs)]
        self.assertEqual(fewer[:2], [0, 0])  # the first two of a shape are as without graphs
        self.assertGreater(min(fewer[2:]), 100)
        self.train("halves", *words, "train.stop=3")
        self.passes("train", "--data", self.data, "--out", self.root / "halves", "--resume",
                    "--device", "emulator")
        weights = [(self.root / name / "weights/last.safetensors").read_bytes()
                   for name in ("plain", "graphs", "halves")]
        self.assertEqual(weights[0], weights[1])
        self.assertEqual(weights[0], weights[2])

    def test_mixed_precision_follows_f32(self):
        words = ["train.iterations=4", "train.log_every=2"]
        full = self.train("full", *words, "--device", "emulator")
        mixed = self.train("mixed", *words, "train.precision=f16", "--device", "emulator")
        for expected, line in zip(full, mixed):
            error = abs(line["total_loss"] - expected["total_loss"])
            self.assertLess(error, 0.03 * expected["total_loss"], line)
            self.assertNotEqual(line["total_loss"], expected["total_loss"])
        self.assertEqual([line["host_syncs"] for line in mixed], [0, 1, 0, 1])
        words = ["train", "--data", self.data, "--out", self.root / "x", "--quiet"]
        for precision, device in [("f16", "cpu"), ("bf16", "emulator")]:
            self.fails(2, "train.precision: expected f32, bf16 on the CPU, or f16 with --device cuda, "
                       f"got {precision}", *words, "--device", device, f"train.precision={precision}")

    def test_detections_are_the_cpus(self):
        self.train("run", "train.iterations=2", "--device", "cpu")
        models = ["--model", self.root / "run"]
        found = [self.found("cpu", *models), self.found("emulator", *models),
                 self.found("emulator", *models, "--gpu-libraries", "off")]
        self.assertGreater(len(found[0]), 0)
        for other in found[1:]:
            self.same_detections(found[0], other)
        half = self.found("emulator", *models, "test.precision=f16")
        self.assertNotEqual(half, found[1])
        self.assertLess(abs(len(half) - len(found[1])), 0.1 * len(found[1]) + 2)
        self.assertAlmostEqual(half[0]["score"], found[1][0]["score"], delta=0.02)
        for device, precision in [("cpu", "f16"), ("emulator", "bf16")]:
            words = ["predict", "--model", self.root / "run", "--images", self.data / "train", "--out",
                     self.root / "x", "--device", device, f"test.precision={precision}", "--quiet"]
            self.fails(2, "test.precision: bf16 is for the CPU and f16 for --device cuda", *words)

    def test_models_and_views_that_answer_as_one_do_so_here(self):
        words = ["train.iterations=2", "--device", "cpu"]
        for seed in (1, 2):
            self.train(f"run {seed}", *words, "--seed", seed)
        words = ["--model", self.root / "run 1", "--model", self.root / "run 2"]
        words += ["test.fusion=inside", "test.views=[plain, h]"]
        expected = self.found("cpu", *words)
        self.assertGreater(len(expected), 0)
        self.same_detections(expected, self.found("emulator", *words))

    def found(self, device, *words):
        out = self.root / f"found {device}"
        words = [*words, "--out", out, "--format", "coco"]
        words += ["--images", self.data / "train", "--device", device, "test.score=0.01"]
        self.passes("predict", *words)
        return json.loads((out / "coco.json").read_text())

    def same_detections(self, expected, found):
        self.assertEqual(len(expected), len(found))
        for a, b in zip(expected, found):
            self.assertEqual(a["image_id"], b["image_id"])
            self.assertEqual(a["category_id"], b["category_id"])
            self.assertAlmostEqual(a["score"], b["score"], places=3)
            for x, y in zip(a["bbox"], b["bbox"]):
                self.assertAlmostEqual(x, y, delta=1)

    def test_a_run_goes_on_where_it_ended(self):
        words = ["train.iterations=3", "--device", "emulator"]
        whole = self.train("whole", *words)
        self.train("parts", *words, "train.stop=2")
        parts = self.train("parts", *words, "--resume")
        same = [[line["total_loss"] for line in run] for run in (whole, parts)]
        self.assertEqual(*same)
        names = [f"weights/{name}.safetensors" for name in ["last", "state"]]
        for name in names:
            a, b = (self.root / run / name for run in ("whole", "parts"))
            self.assertEqual(a.read_bytes(), b.read_bytes(), name)

    def test_no_memory_left_is_one_line(self):
        words = ["--data", self.data, "--out", self.root / "no memory", "--device", "emulator", "--quiet",
                 *SMALL]
        card = dict(os.environ, SOMA_EMULATOR_MEMORY="1000000")
        run = self.fails(1, "memory: the card has no ", "train", *words, env=card)
        self.assertRegex(run.stderr, r"no \d+ bytes left \(\d+ in use\); use smaller images, crops "
                         r"or batches \(input.max_size, input.crop, train.batch\)")

    def test_the_libraries_are_a_switch(self):
        for words, expected in [([], "gpu libraries: cuBLASLt, emulated; cuDNN, emulated"),
                                (["--gpu-libraries", "off"], "gpu libraries: off")]:
            self.assertIn(expected, self.passes("info", *words).stdout)

    def test_no_card_is_an_error(self):
        words = ["train", "--data", self.data, "--out", self.root / "x", "--device", "cuda"]
        self.fails(1, "this build has the emulator; build with -Dcuda=enabled", *words)
        self.assertFalse((self.root / "x").exists())


if __name__ == "__main__":
    main()
