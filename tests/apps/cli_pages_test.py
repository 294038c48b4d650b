#!/usr/bin/env python3
"""Drives the pictures that a run folder holds and the commands that make pages: report, explain,
serve.

Usage: cli_pages_test.py SOMA [NAME ...]
"""

import csv
import http.client
import json
import re
import shutil
import signal
import socket
import subprocess

from cli_support import SOMA, TINY, Case, main, soma
from page_checker import Checker


class Pages(Case):
    IMAGES, SIZE = 12, "128x96"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.root / "run"
        words = ["train.iterations=8", "train.eval_every=4", "train.eval_images=7"]
        run = soma("train", "--data", cls.data, "--val", cls.data, "--out", cls.run_folder, *TINY,
                   *words, "test.score=0", "test.submission_score=[0]")
        assert run.returncode == 0, run.stderr

    def copy(self, name):
        folder = self.root / name
        shutil.copytree(self.run_folder, folder)
        (folder / "report.html").unlink()
        return folder

    def report(self, folder, *words):
        self.passes("report", folder, *words)
        path = folder / "report.html"
        text = path.read_text("utf-8")
        page = Checker(text)
        self.assertEqual(page.wrong, [])
        self.assertLess(path.stat().st_size, 5e6)
        self.assertNotRegex(text, r"https?://(?!www\.w3\.org)")
        return text, page

    def test_what_a_run_leaves(self):
        names = {str(p.relative_to(self.run_folder)) for p in self.run_folder.rglob("*.*")}
        wanted = {"report.html", "validation/truth.json", "validation/coco.json"}
        wanted |= {f"validation/mosaic-{i:06}.png" for i in (4, 8)}
        wanted |= {f"validation/pictures/{i}.png" for i in range(1, 8)}
        wanted |= {f"plots/{name}.png" for name in ["loss", "loss_terms", "learning_rate", "speed",
                                                    "scores", "counts", "overlap", "areas",
                                                    "precision_recall_50", "precision_recall_75"]}
        self.assertLessEqual(wanted, names)
        # The truth that was kept is that of the data, and its scores are the run's.
        truth = json.loads((self.run_folder / "validation/truth.json").read_text())
        rows = [row for row in self.rows() if row["id"] + ".png" in
                {image["file_name"] for image in truth["images"]}]
        self.assertEqual(len(truth["annotations"]), len(rows))
        run = self.passes("eval", "--data", self.run_folder / "validation/truth.json", "--images",
                          self.data / "train", "--predictions",
                          self.run_folder / "validation/coco.json", "--config",
                          self.run_folder / "config.toml", "--json")
        with open(self.run_folder / "results.csv", newline="") as table:
            best = max(float(row["kaggle"]) for row in csv.DictReader(table))
        self.assertAlmostEqual(json.loads(run.stdout)["kaggle"], best, places=12)

    def test_report(self):
        text, page = self.report(self.copy("report \"a\" 'b' <c> ä"))
        self.assertIn("report &quot;a&quot; &#39;b&#39; &lt;c&gt; ä</h1>", text)
        self.assertEqual(sum(tag == "image" for tag, _ in page.tags), 7)
        for name in ("training", "scores-by-class", "images", "settings"):
            self.assertIn(name, page.ids)
        tags = [tag for tag, _ in page.tags]
        for tag in ("header", "nav", "main", "footer", "h1"):
            self.assertEqual(tags.count(tag), 1, tag)
        self.assertEqual(tags.count("table"), tags.count("caption"))
        out = self.root / "elsewhere.html"
        run = self.passes("report", self.run_folder, "--out", out)
        self.assertEqual(run.stdout, f"{out}\n")
        self.assertEqual(out.read_bytes(), (self.run_folder / "report.html").read_bytes())

    def test_report_of_less_than_a_whole_run(self):
        folder = self.copy("interrupted")
        shutil.rmtree(folder / "validation")
        lines = (folder / "metrics.jsonl").read_text()
        (folder / "metrics.jsonl").write_text(lines[: len(lines) * 2 // 3])
        text, page = self.report(folder)
        self.assertIn("holds no validation", text)
        self.assertNotIn("images", page.ids)

        (folder / "metrics.jsonl").write_text("")
        self.assertIn("has logged no iteration yet", self.report(folder)[0])
        for name in ("metrics.jsonl", "env.txt", "log.txt", "results.csv"):
            (folder / name).unlink()
        self.report(folder)

        broken = self.copy("broken")
        (broken / "validation/coco.json").write_text("[{]")
        shutil.rmtree(broken / "validation/pictures")
        self.assertRegex(self.report(broken)[0], r"The validation cannot be read: .*coco\.json")

    def test_report_without_pictures(self):
        folder = self.copy("blind")
        shutil.rmtree(folder / "validation/pictures")
        text, page = self.report(folder)
        self.assertEqual(sum(tag == "image" for tag, _ in page.tags), 0)
        self.assertIn("missed:", text)

    def test_names_that_a_page_must_not_run(self):
        folder = self.copy("names")
        odd = "x'\"><script>alert(1)</script>\u202eÄ"
        for name in ("truth.json", "coco.json"):
            path = folder / "validation" / name
            data = json.loads(path.read_text())
            for entry in data["images"] if name == "truth.json" else data:
                entry["file_name"] = odd.replace("/", "") + entry["file_name"]
            path.write_text(json.dumps(data))
        text, page = self.report(folder)
        self.assertNotIn("<script>alert", text)
        self.assertIn("&lt;script&gt;alert(1)", text)
        self.assertEqual([attrs for tag, attrs in page.tags if tag == "script" and "src" in attrs],
                         [])

    def test_report_of_no_run(self):
        self.fails(1, "no such folder", "report", self.root / "nowhere")
        self.fails(1, "holds no run", "report", self.data)
        self.fails(1, "no such folder", "report", self.data / "train.csv")
        self.fails(2, "RUN", "report")
        self.fails(1, "gone", "report", self.run_folder, "--out", self.root / "gone" / "x.html")

    def first_image(self):
        return min((self.data / "test").glob("*.png"))

    def test_explain(self):
        folder = self.root / "why 'so'"
        image = self.root / "an <odd> \"name\" & ü.png"
        shutil.copy(self.first_image(), image)
        words = ["explain", "--model", self.run_folder, "--image", image, "--out", folder]
        self.assertEqual(self.passes(*words).stdout, f"{folder}/explain.html\n")
        text = (folder / "explain.html").read_text("utf-8")
        page = Checker(text)
        self.assertEqual(page.wrong, [])
        self.assertLess(len(text), 5e6)
        self.assertIn("an &lt;odd&gt; &quot;name&quot; &amp; ü.png</h1>", text)
        for name in ("result", "input", "features", "anchors", "proposals", "cells", "time"):
            self.assertIn(name, page.ids)
        self.assertNotRegex(text, r"https?://(?!www\.w3\.org)")
        # The outlines of the page are the detections of predict.
        found = self.root / "found"
        self.passes("predict", "--model", self.run_folder, "--images", image, "--out", found,
                    "--format", "coco")
        scores = [one["score"] for one in json.loads((found / "coco.json").read_text())]
        marks = [float(attrs["data-score"]) for tag, attrs in page.tags
                 if tag == "path" and "data-score" in attrs]
        self.assertTrue(marks)
        self.assertEqual(len(marks), len(scores))
        for mark, score in zip(marks, sorted(scores, reverse=True)):
            self.assertAlmostEqual(mark, score, 4)

    def test_explain_with_what_is_annotated(self):
        folder = self.root / "truth"
        image = min((self.data / "train").glob("*.png"))
        words = ["explain", "--model", self.run_folder, "--out", folder, "--data", self.data]
        self.passes(*words, "--image", image)
        text = (folder / "explain.html").read_text("utf-8")
        page = Checker(text)
        self.assertEqual(page.wrong, [])
        self.assertIn("truth", page.ids)
        cells = sum(row["id"] == image.stem and row["annotation"] != "" for row in self.rows())
        self.assertRegex(text, rf"\d+ of {cells} annotated cells w")
        fates = len(re.findall("<td>(?:found as|left out: |lost: )", text))
        self.assertEqual(fates, cells)
        self.passes(*words, "--image", image, "test.tile=20", "test.tile_overlap=4")
        small = (folder / "explain.html").read_text("utf-8")
        within = re.search(r" of (\d+) annotated cells? w|DATA has no cell here", small)
        self.assertTrue(within)
        self.assertLess(int(within[1] or 0), cells)
        self.fails(1, "holds no image", *words, "--image", self.first_image())

    def test_explain_of_a_window_and_of_nothing(self):
        folder = self.root / "window"
        words = ["explain", "--model", self.run_folder, "--out", folder, "--image",
                 self.data / "test"]
        self.passes(*words, "test.tile=64", "test.tile_overlap=16", "test.views=[plain,h]")
        text = (folder / "explain.html").read_text("utf-8")
        for part in ("windows of 64", "several views", "The first of 3 images", "64 × 64 pixels"):
            self.assertIn(part, text)
        self.passes(*words, "test.score=0.999")
        text = (folder / "explain.html").read_text("utf-8")
        self.assertIn("Nothing was found", text)
        self.assertEqual(Checker(text).wrong, [])

    def test_explain_of_what_is_none(self):
        words = ["explain", "--model", self.run_folder, "--out", self.root / "none"]
        self.fails(1, "nowhere.png", *words, "--image", self.root / "nowhere.png")
        self.fails(1, "train.csv", *words, "--image", self.data / "train.csv")
        self.fails(2, "--image", *words)
        two = ["--model", self.run_folder, "--image", self.first_image()]
        self.fails(2, "expected one model", *words, *two)
        self.assertFalse((self.root / "none").exists())

    def serve(self, *words):
        run = subprocess.Popen([SOMA, "serve", "--model", self.run_folder, *words],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for stream in (run.stdout, run.stderr):
            self.addCleanup(stream.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        line = run.stdout.readline()
        if not line:
            error = run.stderr.read()
            self.assertEqual(error.count("\n"), 1, error)
            self.assertIn("libcpp-httplib-dev", error)
            self.skipTest("built without cpp-httplib")
        return run, int(line.split(":")[2].split("/")[0])

    def ask(self, port, method, path, body=None, **headers):
        to = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
        self.addCleanup(to.close)
        to.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = to.getresponse()
        return answer, answer.read()

    def test_serve(self):
        run, port = self.serve("--port", "0")
        answer, body = self.ask(port, "GET", "/")
        self.assertEqual(answer.status, 200)
        self.assertEqual(Checker(body.decode()).wrong, [])
        image = self.first_image().read_bytes()
        answer, body = self.ask(port, "POST", "/images", image, X_File_Name="a%20%C3%BC%22.png")
        self.assertEqual(answer.status, 200, body)
        image_id = json.loads(body)["id"]
        self.assertEqual(json.loads(body), {"id": image_id, "name": 'a ü".png', "width": 128,
                                            "height": 96})
        place = f"/images/{image_id}/"
        counts = []
        for score in (0, 1):
            answer, body = self.ask(port, "GET", f"{place}cells.json?score={score}&pixels=0")
            cells = json.loads(body)
            self.assertEqual(sum(cells["counts"].values()), len(cells["cells"]))
            counts.append(len(cells["cells"]))
        self.assertGreater(counts[0], counts[1])
        answer, body = self.ask(port, "GET", f"{place}cells.csv?score=0")
        self.assertEqual(body.count(b"\n"), counts[0] + 1)
        self.assertIn("a%20%C3%BC__cells.csv", answer.getheader("Content-Disposition"))
        for name in ("labels.png", "overlay.png", "picture.png"):
            answer, body = self.ask(port, "GET", place + name)
            self.assertEqual((answer.status, body[:8]), (200, b"\x89PNG\r\n\x1a\n"), name)
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.wait(20), 130)
        self.assertEqual(run.stderr.read(), "")

    def test_serve_what_it_refuses(self):
        _, port = self.serve("--port", "0")
        png = self.first_image().read_bytes()
        for expected, words, question in [
            (400, "is not an image", ("POST", "/images", b"hello")),
            (400, "is empty", ("POST", "/images", b"")),
            (400, "incomplete", ("POST", "/images", png[: len(png) // 2])),
            (413, "larger than 64 MB", ("POST", "/images", bytes((64 << 20) + 1))),
            (404, "drop it again", ("GET", "/images/7/cells.json")),
            (404, "cannot answer", ("GET", "/../../etc/passwd")),
            (404, "cannot answer", ("DELETE", "/images")),
        ]:
            answer, body = self.ask(port, *question)
            self.assertEqual(answer.status, expected, (question[:2], body))
            self.assertEqual(body.count(b"\n"), 1)
            self.assertIn(words, body.decode())
        for headers in ({"Host": f"evil.example:{port}"}, {"Origin": "http://evil.example"}):
            self.assertEqual(self.ask(port, "POST", "/images", png, **headers)[0].status, 403)
        self.assertEqual(self.ask(port, "POST", "/images", png)[0].status, 200)
        self.fails(1, "another program has it", "serve", "--model", self.run_folder, "--port", port)
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            self.fails(1, "another program has it", "serve", "--model", self.run_folder, "--port",
                       other.getsockname()[1])
        self.fails(2, "--port", "serve", "--model", self.run_folder, "--port", 70000)
        self.fails(1, "no such file or folder", "serve", "--model", self.root / "nowhere")


if __name__ == "__main__":
    main()
