#!/usr/bin/env python3
"""The C interface from C and from Python's ctypes, against the program's own files.

Usage: capi_test.py SOMA LIBRARY C_TEST EXAMPLES (the program, libsoma_c.so, capi_test, a folder)
"""
import csv
import subprocess
import sys
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "apps"))
EXAMPLES, C_TEST, LIBRARY = (Path(sys.argv.pop()).resolve() for _ in range(3))
sys.path.insert(0, str(EXAMPLES))

from cli_support import TINY, Case, main, soma  # noqa: E402
from predict import Pixels, Soma  # noqa: E402

# Python would have to load a sanitizer before everything else.
SANITIZED = b"libasan" in LIBRARY.read_bytes() or b"libtsan" in LIBRARY.read_bytes()
LOW = {"test__submission_score": 0.01, "test__score": 0.01}


class CapiTest(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.root / "run"
        done = soma("train", "--data", cls.data, "--out", cls.model, *TINY, "train.iterations=3")
        assert done.returncode == 0, done.stderr
        cls.image = sorted((cls.data / "train").glob("*.png"))[0]
        done = soma("predict", "--model", cls.model, "--images", cls.image, "--out",
                    cls.root / "found", "test.submission_score=0.01", "test.score=0.01")
        assert done.returncode == 0, done.stderr
        with open(cls.root / "found" / "measurements.csv", newline="") as table:
            cls.cells = [(row["class"], int(row["area"])) for row in csv.DictReader(table)]
        assert cls.cells

    def test_c(self):
        done = subprocess.run([C_TEST, self.model, self.image], capture_output=True, text=True,
                              timeout=200)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = [(name, int(area)) for name, area in map(str.split, done.stdout.splitlines())]
        self.assertEqual(found, self.cells)

    @unittest.skipIf(SANITIZED, "built with a sanitizer")
    def test_python(self):
        model = Soma(LIBRARY, self.model, device="cpu", **LOW)
        self.assertEqual([(n, a) for n, _, a, _ in model.cells(self.image)], self.cells)
        with self.assertRaisesRegex(RuntimeError, "nothing.png"):
            model.cells("nothing.png")
        with self.assertRaisesRegex(RuntimeError, "test.score"):
            Soma(LIBRARY, self.model, test__scroe=1)
        done = subprocess.run([sys.executable, EXAMPLES / "predict.py", LIBRARY, self.model,
                               self.image], capture_output=True, text=True, timeout=200)
        self.assertRegex(done.stdout, r"\.png: \d+ cells\n", done.stderr)

    @unittest.skipIf(SANITIZED, "built with a sanitizer")
    def test_pixels_in_memory(self):
        model = Soma(LIBRARY, self.model, device="cpu", **LOW)
        width, height, padding = 60, 50, 7
        gray = [(3 * x + 5 * y + x * y) % 200 for y in range(height) for x in range(width)]
        path = self.root / "gray.bmp"
        path.write_bytes(bitmap(gray, width, height))
        expected = [(n, a) for n, _, a, _ in model.cells(path)]
        rows = b"".join(bytes(gray[y * width:(y + 1) * width]) + b"\xff" * padding
                        for y in range(height))
        result = model.c.soma_predict_pixels(
            model.model, Pixels(address(rows), height, width, width + padding, 1, 8))
        self.assertEqual(model.c.soma_cell_count(result), len(expected))
        model.c.soma_free_result(result)

    @unittest.skipIf(SANITIZED, "built with a sanitizer")
    def test_threads_share_a_model(self):
        model = Soma(LIBRARY, self.model, device="cpu", **LOW)
        found = [None] * 4

        def work(place):
            found[place] = model.cells(self.image)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for cells in found:
            self.assertEqual(cells, found[0])
            self.assertEqual([(n, a) for n, _, a, _ in cells], self.cells)

    def test_only_its_own_names_can_be_seen(self):
        listed = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True,
                                text=True)
        names = [line.split()[-1] for line in listed.stdout.splitlines()]
        header = (EXAMPLES.parent / "capi" / "soma.h").read_text()
        self.assertTrue(names)
        for name in names:
            self.assertIn(f"{name}(", header)


def address(data):
    import ctypes
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value


def bitmap(gray, width, height):
    """A BMP of three equal channels, rows from the bottom, padded to four bytes."""
    from struct import pack
    rows = b""
    for y in reversed(range(height)):
        row = b"".join(bytes([v] * 3) for v in gray[y * width:(y + 1) * width])
        rows += row + b"\0" * (-len(row) % 4)
    return pack("<2sIHHI", b"BM", 54 + len(rows), 0, 0, 54) + pack(
        "<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 2835, 2835, 0, 0) + rows


if __name__ == "__main__":
    main()
