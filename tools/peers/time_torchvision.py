#!/usr/bin/env python3
"""Times torchvision's Mask R-CNN R50-FPN on one image, turn by turn with a soma command.

Inference at 704 x 544 with 1,000 proposals and --detections (100) detections; a training step
(forward, backward, SGD) of one image with 20 cells and 512 RoIs, nothing frozen. Weights are random,
the norms' statistics measured, the class scores spread until the wanted detections come out.
Prints JSON: the median, the least and all seconds of each side, the ratios torchvision / soma, and
the most memory that torchvision's process ever had (VmHWM; soma bench train prints its own).

--soma CMD runs before each turn and must print a JSON object as its last line of standard output;
--infer-key and --train-key name its seconds (dots go into nested objects). Both sides see the same
machine in the same minutes: quote the ratio.

Example: time_torchvision.py --soma "build/soma bench model --json --threads 2"
"""
import argparse
import json
import os
import statistics
import subprocess
import time

for name in ("OMP_WAIT_POLICY", "KMP_BLOCKTIME"):  # idle threads must not spin into soma's turn
    os.environ.setdefault(name, {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}[name])
os.environ.pop("OPENBLAS_CORETYPE", None)

import torch  # noqa: E402
from torchvision.models.detection import MaskRCNN  # noqa: E402
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone  # noqa: E402
from torchvision.ops import FrozenBatchNorm2d  # noqa: E402

CLASSES, CELLS = 4, 20


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=544)
    parser.add_argument("--width", type=int, default=704)
    parser.add_argument("--detections", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--norm", choices=["frozen", "batch"], default="frozen")
    parser.add_argument("--only", choices=["infer", "train"])
    parser.add_argument("--soma", help="command to alternate with")
    parser.add_argument("--infer-key", default="inference_s")
    parser.add_argument("--train-key", default="train_step_s")
    return parser.parse_args()


def build(args, norm, trainable=5):
    torch.manual_seed(0)
    backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None,
                                   trainable_layers=trainable, norm_layer=norm)
    return MaskRCNN(backbone, CLASSES, min_size=min(args.height, args.width),
                    max_size=max(args.height, args.width), box_detections_per_img=args.detections)


def picture(args):
    """Smooth blobs and noise, so that the network sees structure."""
    torch.manual_seed(1)
    coarse = torch.nn.functional.interpolate(torch.rand(1, 3, 17, 22),
                                             (args.height, args.width), mode="bicubic")
    return (coarse[0] + 0.1 * torch.randn(3, args.height, args.width)).clamp(0, 1)


def cells_of(args):
    """A target with CELLS discs on a grid."""
    y, x = torch.meshgrid(torch.arange(args.height), torch.arange(args.width), indexing="ij")
    masks, boxes = [], []
    for n in range(CELLS):
        cy, cx = args.height * (n // 5 + 0.5) / 4, args.width * (n % 5 + 0.5) / 5
        radius = 15 + 2 * n
        masks.append(((y - cy)**2 + (x - cx)**2 <= radius**2).to(torch.uint8))
        boxes.append([cx - radius, cy - radius, cx + radius, cy + radius])
    return {"boxes": torch.tensor(boxes).clamp(min=0), "masks": torch.stack(masks),
            "labels": torch.arange(CELLS) % (CLASSES - 1) + 1}


@torch.no_grad()
def inference_model(args, image):
    """Frozen norms with the statistics of `image`; class weights spread until enough is found."""
    live = build(args, torch.nn.BatchNorm2d)
    for module in live.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    live.backbone.train()
    inputs, _ = live.transform([image])
    live.backbone(inputs.tensors)
    model = build(args, FrozenBatchNorm2d if args.norm == "frozen" else torch.nn.BatchNorm2d)
    state = live.state_dict()
    model.load_state_dict({name: state[name] for name in model.state_dict()})
    model.eval()
    for _ in range(20):
        if len(model([image])[0]["boxes"]) == args.detections:
            return model
        model.roi_heads.box_predictor.cls_score.weight.mul_(2)
    raise SystemExit("time_torchvision: no weights give the wanted number of detections")


def infer_once(model, image):
    with torch.no_grad():
        return model([image])[0]


def train_once(model, optimizer, image, target):
    losses = model([image], [target])
    optimizer.zero_grad()
    sum(losses.values()).backward()
    optimizer.step()


def process_mb():
    with open("/proc/self/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1]) / 1e6


def soma_seconds(args, keys):
    """{turn: seconds} that the soma command printed."""
    done = subprocess.run(args.soma, shell=True, stdout=subprocess.PIPE, text=True, check=True)
    printed = json.loads(done.stdout.strip().splitlines()[-1])
    seconds = {}
    for turn, key in keys.items():
        value = printed
        for part in key.split("."):
            value = value[part]
        seconds[turn] = float(value)
    return seconds


def summary(args, seconds, turns):
    result = {"threads": args.threads, "size": [args.width, args.height],
              "torch": torch.__version__, "process_mb": process_mb()}
    for (side, turn), values in seconds.items():
        if values:
            result[f"{side}_{turn}"] = {"median": statistics.median(values), "least": min(values),
                                        "all": values}
    for turn in turns if args.soma else ():
        result[f"ratio_{turn}"] = (statistics.median(seconds["torchvision", turn])
                                   / statistics.median(seconds["soma", turn]))
    return result


def main():
    args = options()
    torch.set_num_threads(args.threads)
    image, turns = picture(args), {}
    model = inference_model(args, image)
    if args.only != "train":
        found = {}
        model.rpn.register_forward_hook(lambda _, __, out: found.update(count=len(out[0][0])))
        infer_once(model, image)
        print(f"{found['count']} proposals, {args.detections} detections", flush=True)
        turns["infer"] = lambda: infer_once(model, image)
    if args.only != "infer":
        norm = FrozenBatchNorm2d if args.norm == "frozen" else torch.nn.BatchNorm2d
        learner = build(args, norm).train()
        learner.load_state_dict(model.state_dict())  # statistics that keep the losses finite
        if args.only == "train":
            del model
        optimizer = torch.optim.SGD(learner.parameters(), lr=1e-9, momentum=0.9, weight_decay=1e-4)
        target = cells_of(args)
        turns["train"] = lambda: train_once(learner, optimizer, image, target)
        turns["train"]()
    seconds = {(side, turn): [] for side in ("torchvision", "soma") for turn in turns}
    for _ in range(args.rounds):
        if args.soma:
            keys = {"infer": args.infer_key, "train": args.train_key}
            printed = soma_seconds(args, {turn: keys[turn] for turn in turns})
            for turn, value in printed.items():
                seconds["soma", turn].append(value)
        for turn, run in turns.items():
            start = time.perf_counter()
            run()
            seconds["torchvision", turn].append(time.perf_counter() - start)
    print(json.dumps(summary(args, seconds, turns)))


if __name__ == "__main__":
    main()
