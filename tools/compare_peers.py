#!/usr/bin/env python3
"""Times soma beside its peers on the same picture and weights, turn by turn; writes docs' table.

Mask R-CNN R50-FPN with torchvision's settings: random weights whose norms know the picture, class
scores spread until the wanted number of detections comes out (peers/time_torchvision.py).
torchvision and soma do the whole pass; OpenVINO and ONNX Runtime run what torchvision exports
through ONNX, which ends before masks are pasted, so soma's pass without the pasting stands beside
them. Every round runs every side once; medians count, and ratios to soma of the same run. CPU
seconds (of all threads) stand beside wall time, since other programs on the machine do not stretch
them.

Where the Python that runs this lacks a package, a virtual environment is made at --venv and they
are installed there from PyPI. The times of one run belong together: other machines, others.

Usage: compare_peers.py [--soma build/soma] [--rounds 5] [--threads 2] [--only PART] [--out FILE]
"""
import argparse
import importlib.metadata
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from types import SimpleNamespace

PACKAGES = ["torch", "torchvision", "openvino", "onnx", "onnxruntime", "onnxscript", "pillow",
            "pycocotools"]
MODULES = {"pillow": "PIL"}
# height, width, detections; whether the ONNX runtimes take part
INFERENCE = {"704 x 544, 100 detections": (544, 704, 100, True),
             "1344 x 800, 100 detections": (800, 1344, 100, False),
             "704 x 544, 1,000 detections": (544, 704, 1000, False)}
TRAINING = {"training step, nothing frozen": ("none", 5),
            "training step, stem and res2 frozen": ("res2", 3)}


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--soma", default="build/soma")
    parser.add_argument("--venv", default="build/peers", help="made when a package is missing")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="parts whose name holds this")
    parser.add_argument("--out", help="the table as a Markdown file; else on stdout")
    return parser.parse_args()


def enter_venv(folder):
    """Goes on in a Python that has all packages; installs them where there is none yet."""
    if all(importlib.util.find_spec(MODULES.get(name, name)) for name in PACKAGES):
        return
    python = Path(folder) / "bin" / "python"
    if Path(sys.prefix).resolve() == Path(folder).resolve():
        sys.exit(f"compare_peers: {folder} lacks packages that were installed; remove it")
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    os.execv(python, [str(python), *sys.argv])


def machine(threads):
    """What the times depend on, in a line."""
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="ascii")
                  if line.startswith("model name")), "unknown CPU")
    versions = [f"{name} {importlib.metadata.version(name)}"
                for name in PACKAGES if name in ("torch", "torchvision", "openvino", "onnxruntime")]
    return (f"{model}, {len(os.sched_getaffinity(0))} cores, {threads} threads; load average "
            f"{os.getloadavg()[0]:.1f}; {', '.join(versions)}")


def soma_side(args, command, keys, repeats=1):
    """A turn of soma: runs the command, gives the seconds under each of its keys."""
    line = [args.soma, "bench", *command, "--repeats", str(repeats), "--json", "--threads",
            str(args.threads), "model.preset=torchvision", 'model.classes=["a","b","c"]']

    def run():
        done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
        printed = json.loads(done.stdout.strip().splitlines()[-1])
        return {name: pick(printed) for name, pick in keys.items()}
    return run


def timed(name, work):
    def run():
        start, cpu = time.perf_counter(), time.process_time()
        work()
        return {name: (time.perf_counter() - start, time.process_time() - cpu)}
    work()  # warm
    return run


def openvino_side(path, image, args, precision):
    import openvino
    core = openvino.Core()
    network = core.compile_model(core.read_model(path), "CPU", {
        "INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY"})
    return timed(f"OpenVINO {precision}", lambda: network([image]))


def onnxruntime_side(path, image, args):
    import onnxruntime
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = args.threads
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return timed("ONNX Runtime f32", lambda: session.run(None, {name: image}))


def exported(model, image, path):
    """The network up to soft masks in the network's frame."""
    import torch
    postprocess = model.transform.postprocess
    model.transform.postprocess = lambda result, *_: result
    torch.onnx.export(model, ([image],), path, opset_version=16, dynamo=False)
    model.transform.postprocess = postprocess
    return path


def without_pasting(printed):
    return sum(printed["stages_s"].values()), printed["stages_cpu_s"]


def inference_sides(args, case, folder):
    """The sides of one picture: soma's weights and pixels are torchvision's."""
    import numpy
    import torch
    from PIL import Image
    import time_torchvision as torchvision_side
    height, width, detections, through_onnx = case
    shape = SimpleNamespace(height=height, width=width, detections=detections, norm="frozen")
    pixels = (torchvision_side.picture(shape) * 255).round().byte()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(f"{folder}/picture.png")
    image = pixels.float() / 255
    model = torchvision_side.inference_model(shape, image)
    torch.save(model.state_dict(), f"{folder}/weights.pth")
    command = ["model", "--model", f"{folder}/weights.pth", "--images", f"{folder}/picture.png",
               "--size", f"{width}x{height}", "test.score=0.05",
               f"test.max_detections={detections}"]
    sides = []
    for precision in ("f32", "bf16"):
        keys = {f"soma {precision}": lambda printed: (printed["inference_s"],
                                                        printed["inference_cpu_s"])}
        if through_onnx:
            keys[f"soma {precision} without pasting"] = without_pasting
        sides.append(soma_side(args, [*command, f"test.precision={precision}"], keys))
    sides.append(timed("torchvision f32", lambda: torchvision_side.infer_once(model, image)))
    if through_onnx:
        path = exported(model, image, f"{folder}/network.onnx")
        sides += [openvino_side(path, numpy.asarray(image), args, kind) for kind in ("f32", "bf16")]
        sides.append(onnxruntime_side(path, numpy.asarray(image), args))
    return sides


def training_sides(args, case):
    import torch
    from torchvision.ops import FrozenBatchNorm2d
    import time_torchvision as torchvision_side
    frozen, trainable = case
    shape = SimpleNamespace(height=544, width=704, detections=100, norm="frozen")
    image = torchvision_side.picture(shape)
    model = torchvision_side.inference_model(shape, image)
    learner = torchvision_side.build(shape, FrozenBatchNorm2d, trainable).train()
    learner.load_state_dict(model.state_dict())  # statistics that keep the losses finite
    optimizer = torch.optim.SGD([p for p in learner.parameters() if p.requires_grad], lr=1e-9,
                                momentum=0.9, weight_decay=1e-4)
    target = torchvision_side.cells_of(shape)
    sides = [soma_side(args, ["train", f"model.freeze={frozen}", f"train.precision={precision}"],
                       {f"soma {precision}": lambda printed: (printed["train_step_s"],
                                                              printed["train_step_cpu_s"])})
             for precision in ("f32", "bf16")]
    return [*sides,
            timed("torchvision f32",
                  lambda: torchvision_side.train_once(learner, optimizer, image, target))]


def region_sides(args, name, twin):
    keys = {"soma": lambda printed: (printed["layers"][0]["ms"] / 1e3, math.nan)}
    return [soma_side(args, ["ops", "--only", name], keys, repeats=5),
            timed("torchvision", twin)]


def parts(args):
    """(name, what makes its sides in a folder) of every part that is wanted."""
    from region_ops import twins
    makers = {}
    for name, case in INFERENCE.items():
        makers[name] = lambda folder, case=case: inference_sides(args, case, folder)
    for name, case in TRAINING.items():
        makers[name] = lambda _, case=case: training_sides(args, case)
    for name, twin in twins().items():
        makers[name] = lambda _, name=name, twin=twin: region_sides(args, name, twin)
    return [(name, make) for name, make in makers.items() if args.only in name]


def alternate(sides, rounds):
    """{side: (seconds, CPU seconds) of all rounds}."""
    seconds = {}
    for _ in range(rounds):
        for side in sides:
            for name, value in side().items():
                seconds.setdefault(name, []).append(value)
    return seconds


def shown(seconds):
    if math.isnan(seconds):
        return ""
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1e3 * seconds:.2f} ms"


def ratios(name, medians):
    """How many times soma's each of a peer's medians is, by precision."""
    bare = any("without" in other for other in medians) and "torchvision" not in name
    found = []
    for precision in ("f32", "bf16", ""):
        other = f"soma {precision}".strip() + (" without pasting" if bare else "")
        if other in medians and not math.isnan(medians[name] / medians[other]):
            found.append(f"{medians[name] / medians[other]:.2f}"
                         + (f" ({precision})" if precision else ""))
    return ", ".join(found)


def rows(part, times):
    """A line of the table per side."""
    wall = {name: statistics.median(t for t, _ in values) for name, values in times.items()}
    cpu = {name: statistics.median(t for _, t in values) for name, values in times.items()}
    for name, values in times.items():
        cells = [part, name, shown(wall[name]), shown(min(t for t, _ in values)), shown(cpu[name])]
        cells += ["", ""] if name.startswith("soma") else [ratios(name, wall), ratios(name, cpu)]
        yield "| " + " | ".join(cells) + " |"


def main():
    args = options()
    enter_venv(args.venv)
    os.environ.update(OMP_WAIT_POLICY="PASSIVE", KMP_BLOCKTIME="0")  # idle threads must not spin
    os.environ.pop("OPENBLAS_CORETYPE", None)
    sys.path.insert(0, str(Path(__file__).parent / "peers"))
    import torch
    torch.set_num_threads(args.threads)
    table = [machine(args.threads), "",
             "| what | side | median | least | CPU seconds | times soma's | by CPU seconds |",
             "|---|---|---|---|---|---|---|"]
    for part, make in parts(args):
        with tempfile.TemporaryDirectory() as folder:
            for row in rows(part, alternate(make(folder), args.rounds)):
                print(row, file=sys.stderr, flush=True)
                table.append(row)
    text = "\n".join(table) + "\n"
    if args.out:
        Path(args.out).write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
