#!/usr/bin/env python3
"""Reads the TensorBoard events of a run: by their definition here, and by TensorBoard's own reader
where it is installed.

Usage: cli_events_test.py SOMA [NAME ...]
"""

import json
import struct

from cli_support import TINY, Case, main, soma


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    while data:
        length, check = struct.unpack_from("<QI", data)
        body = data[12:12 + length]
        assert check == crc32c(data[:8])
        assert struct.unpack_from("<I", data, 12 + length)[0] == crc32c(body)
        yield body
        data = data[16 + length:]


def fields(message):
    """Pairs of a field's number and its value."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            yield number, varint()
            continue
        size = varint() if kind == 2 else 8 if kind == 1 else 4
        yield number, message[at:at + size]
        at += size


def scalars(folder):
    """{tag: {step: value}} of all event files, later ones on top."""
    found = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for record in records(path.read_bytes()):
            event = list(fields(record))
            step = dict(event).get(2, 0)
            if any(number == 7 for number, _ in event):
                for steps in found.values():
                    for late in [s for s in steps if s >= step]:
                        del steps[late]
            for summary in (value for number, value in event if number == 5):
                for _, value in fields(summary):
                    parts = dict(fields(value))
                    steps = found.setdefault(parts[1].decode(), {})
                    steps[step] = struct.unpack("<f", parts[2])[0]
    return found


class Events(Case):
    IMAGES, SIZE = 12, "128x96"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.root / "run"
        cls.words = ["train", "--data", cls.data, *TINY, "train.iterations=8"]
        run = soma(*cls.words, "--out", cls.run_folder)
        assert run.returncode == 0, run.stderr

    def test_events(self):
        lines = (self.run_folder / "metrics.jsonl").read_text().splitlines()
        found = scalars(self.run_folder)
        for line in map(json.loads, lines):
            step = line["iteration"]
            pairs = [("validation/kaggle", "kaggle")] if "kaggle" in line else [
                ("loss/total", "total_loss"), ("loss/mask", "loss_mask"), ("lr", "lr"),
                ("speed/images_per_s", "images_per_s")]
            for tag, key in pairs:
                self.assertAlmostEqual(found[tag][step] / (line[key] or 1), line[key] and 1, 5)
        self.assertEqual(len(found["loss/total"]), 8)
        self.as_tensorboard_reads(self.run_folder, found)

    def as_tensorboard_reads(self, folder, found):
        try:
            from tensorboard.backend.event_processing import event_accumulator
        except ImportError:
            return
        reader = event_accumulator.EventAccumulator(str(folder))
        reader.Reload()
        self.assertEqual(set(reader.Tags()["scalars"]), set(found))
        for tag, steps in found.items():
            self.assertEqual({e.step: e.value for e in reader.Scalars(tag)}, steps)

    def test_events_of_a_resumed_run(self):
        folder = self.root / "resumed"
        words = [*self.words, "--out", folder, "train.save_every=1"]
        self.passes(*words, "train.stop=5")
        self.passes(*words, "--resume")
        self.assertEqual(len(list(folder.glob("events.out.tfevents.*"))), 2)
        found = scalars(folder)
        self.assertEqual(sorted(found["loss/total"]), list(range(1, 9)))
        self.as_tensorboard_reads(folder, found)

    def test_a_killed_run_goes_on_from_its_save(self):
        """Iterations after the save are done anew: what was logged of them is void."""
        folder = self.root / "killed"
        words = [*self.words, "--out", folder, "train.save_every=3"]
        self.passes(*words, "train.stop=3")
        weights = {path.name: path.read_bytes() for path in (folder / "weights").iterdir()}
        self.passes(*words, "--resume", "train.stop=5")
        for name, content in weights.items():
            (folder / "weights" / name).write_bytes(content)
        self.passes(*words, "--resume", "train.stop=4")
        found = scalars(folder)
        self.assertEqual(sorted(found["loss/total"]), [1, 2, 3, 4])
        self.as_tensorboard_reads(folder, found)


if __name__ == "__main__":
    main()
