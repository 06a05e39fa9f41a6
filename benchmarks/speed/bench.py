"""How fast the rendered experiment trains, beside peers and beside the limit, all in one run: `nox -s bench`.

    python -m benchmarks.speed.bench                               # everything, nearly two hours on two cores
    python -m benchmarks.speed.bench --only mlp start --rounds 3   # in `--out`, only these are replaced

Every contender is a process of its own that trains the same network on the same file, with the same batch size, and
says when an epoch has ended, with validation, logs and checkpoints. Time between two such lines is an epoch; the first
epoch of a process only warms it up, and the fastest of the others counts. In every round each contender runs once, in
an order in which each is as often before another as after it (once more, if the rounds are odd). Ratios are taken
within a round, so that a machine that is busy for a while slows both sides; published are their medians, and the
lowest and highest. Writes results.json, README.md and speed.png.
"""

import argparse
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import torch

from benchmarks.origin import environment, origin, render

HERE = Path(__file__).parent
OURS, LIMIT = "this template", "limit"
CONTENDERS = {
    LIMIT: "limit.py",
    "notes' loop": "notes_loop.py",
    "Lightning": "with_lightning.py",
    "Ignite": "with_ignite.py",
    "Accelerate": "with_accelerate.py",
    "skorch": "with_skorch.py",
}
PACKAGES = ("torch", "numpy", "lightning", "pytorch-ignite", "accelerate", "skorch", "tensorboard")


class Workload(NamedTuple):
    """What is trained: the first epoch of a process does not count."""

    model: str
    samples: int
    epochs: int
    model_flags: tuple[str, ...] = ()
    shape: tuple[int, ...] = (1, 28, 28)
    batch_size: int = 128


WORKLOADS = {
    "mlp": Workload("mlp", 60_000, 7, ("--model.width=128", "--model.depth=1", "--model.dropout=0")),
    "cnn": Workload("cnn", 60_000, 2, ("--model.width=16",)),  # half the default, a quarter of its time
    "cnn32": Workload("cnn", 6_000, 3),
    "resnet": Workload("resnet", 6_000, 2),
    "resnet224": Workload(
        "resnet",
        10_240,
        3,
        ("--model.stem=large", "--model.depth=18", "--model.width=64"),
        shape=(3, 224, 224),
        batch_size=256,
    ),
    "digits": Workload("cnn", 1_500, 5, batch_size=64),
}
TITLES = {
    "mlp": "MLP 784-128-10, 60,000 x 1 x 28 x 28, an epoch",
    "cnn": "CNN of width 16, 60,000 x 1 x 28 x 28, an epoch",
    "cnn32": "CNN of width 32 (the default), 6,000 x 1 x 28 x 28, an epoch",
    "resnet": "ResNet-20, 6,000 x 1 x 28 x 28, an epoch",
    "resnet224": "ResNet-18, 10,240 x 3 x 224 x 224, an epoch",  # on a GPU: a CPU would take hours
    "digits": "CNN, bundled digits, five epochs, the whole command",
    "start": "first step: `train --fast-dev-run`, against a script that takes one by torch's AdamW",
}
FIRST_STEP = """
import torch
model = torch.nn.Linear(64, 10)
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
torch.nn.functional.cross_entropy(model(torch.randn(64, 64)), torch.arange(64) % 10).backward()
optimizer.step()
"""


def images(path: Path, shape: tuple[int, ...], train: int, val: int) -> None:
    """Write noisy uint8 images (N, C, H, W) of ten classes."""
    generator = np.random.default_rng(0)
    prototypes = generator.integers(0, 128, (10, *shape), dtype=np.uint8)
    arrays: dict[str, np.ndarray] = {}
    for name, count in (("train", train), ("val", val)):
        y = generator.integers(0, 10, count)
        noise = generator.integers(0, 128, (count, *shape), dtype=np.uint8)
        arrays |= {f"x_{name}": prototypes[y] + noise, f"y_{name}": y}
    np.savez(path, **arrays)  # type: ignore[arg-type]


def digits(path: Path, project: Path) -> None:
    """Write the bundled digits with a fixed split, which every contender can read."""
    with np.load(next((project / "data").glob("*.npz"))) as file:
        x, y = file["x"], file["y"]
    order = np.random.default_rng(0).permutation(len(x))
    train, val = order[:1500], order[1500:]
    np.savez(path, x_train=x[train], y_train=y[train], x_val=x[val], y_val=y[val])


class Bench:
    """Renders, runs contenders, and keeps what they took."""

    def __init__(self, work: Path, arguments: argparse.Namespace) -> None:
        self.work, self.rounds, self.device = work, arguments.rounds, arguments.device
        self.contenders = [OURS, *arguments.beside]
        epochs = {"epochs": arguments.epochs} if arguments.epochs else {}
        self.workloads = {name: workload._replace(**epochs) for name, workload in WORKLOADS.items()}
        self.projects = {model: render(work / model, model=model) for model in ("mlp", "cnn", "resnet")}

    def command(self, contender: str, data: Path, given: Workload) -> list[str]:
        """Return the command line of a contender; ours is the real command, with its default logs and checkpoints."""
        common = [f"--epochs={given.epochs}", f"--batch-size={given.batch_size}", f"--device={self.device}"]
        common += given.model_flags
        out = Path(tempfile.mkdtemp(dir=self.work))
        if contender == OURS:
            flags = [f"--data.path={data}", "--data.channels=first", "--patience=0", f"--runs-dir={out}"]
            return [sys.executable, "-m", "my_experiment", "train", *flags, *common]
        script = HERE / "contenders" / CONTENDERS[contender]
        return [sys.executable, str(script), str(data), f"--out={out}", *common]

    def run(self, command: list[str], model: str) -> tuple[list[float], float, int]:
        """Run a command to its end: when its epochs ended (s), how long it took (s), its largest memory (bytes)."""
        project = self.projects[model]
        errors = self.work / "stderr.txt"
        with errors.open("w") as stderr:
            started, ends, peak = time.perf_counter(), [], 0
            process = subprocess.Popen(
                command, cwd=project, env=environment(project),
                stdout=subprocess.PIPE, stderr=stderr, text=True,
            )  # fmt: skip
            assert process.stdout
            for line in process.stdout:
                if line.startswith("epoch "):
                    ends.append(time.perf_counter() - started)
                peak = max(peak, peak_memory(process.pid))  # its last line comes at its end
            process.wait()
            seconds = time.perf_counter() - started
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{errors.read_text()[-3000:]}")
        return ends, seconds, peak

    def alternate(self, names: list[str], once: Callable[[str], float]) -> dict[str, list[float]]:
        """Call `once` for each name in each round."""
        taken: dict[str, list[float]] = {name: [] for name in names}
        for number in range(self.rounds):
            for name in order(names, number):
                taken[name].append(once(name))
                print(f"  round {number + 1}/{self.rounds}  {name:14} {taken[name][-1]:8.3f}", flush=True)
        return taken

    def epochs(self, workload: str) -> dict[str, Any]:
        """Measure seconds per epoch, and how much memory the experiment takes above its arrays."""
        given = self.workloads[workload]
        data = self.work / f"{workload}.npz"
        counts = given.samples, given.samples // 6
        images(data, given.shape, *counts)
        memory = []

        def once(name: str) -> float:
            ends, _, peak = self.run(self.command(name, data, given), given.model)
            assert len(ends) == given.epochs, (name, ends)
            if name == OURS:
                memory.append(peak)
            return min(np.diff(ends))  # other work on the machine only ever adds to it

        seconds = self.alternate(self.contenders, once)
        arrays = sum(counts) * math.prod(given.shape)
        return {"seconds": seconds, "peak_above_arrays": (statistics.median(memory) - arrays) / 2**20}

    def whole(self) -> dict[str, Any]:
        """Measure five epochs on the digits from the start of the process to its end."""
        data = self.work / "digits.npz"
        digits(data, self.projects["cnn"])

        def once(name: str) -> float:
            return self.run(self.command(name, data, self.workloads["digits"]), "cnn")[1]

        return {"seconds": self.alternate(self.contenders, once)}

    def start(self) -> dict[str, Any]:
        """Measure the time to the first step."""
        commands = {
            OURS: [sys.executable, "-m", "my_experiment", "train", "--fast-dev-run", f"--device={self.device}"],
            LIMIT: [sys.executable, "-c", FIRST_STEP],
        }
        return {"seconds": self.alternate(list(commands), lambda name: self.run(commands[name], "cnn")[1])}


def order(names: list[str], number: int) -> list[str]:
    """Return the order of a round: there and back, then the same from the next one on."""
    turn = number // 2 % len(names)
    turned = names[turn:] + names[:turn]
    return turned[:: -1 if number % 2 else 1]


def ratios(seconds: dict[str, list[float]], name: str, to: str) -> dict[str, float]:
    """Return median, lowest and highest ratio of two contenders within the rounds."""
    values = [a / b for a, b in zip(seconds[name], seconds[to], strict=True)]
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def table(report: dict[str, Any]) -> str:
    """Return README.md."""
    lines = [
        "# How fast it trains\n",
        f"`nox -s bench{'' if report['device'] == 'CPU' else ' -- --device cuda --out FOLDER'}` on {report['device']}.",
        "Seconds are medians. Each ratio is taken within one round, and the table has the median of the rounds (lowest",
        "to highest): above 1, the other takes longer than the limit, or than this template. For an epoch, a value",
        "just below 1 is noise. `bench.py` says how it is measured. This template and the limit use fused AdamW and",
        "weights channels last, keep freed memory for the next step, and validate in larger batches. Peers do as their",
        "introductions do: Adam that is not fused, validation in batches of the training's size, which are filled in",
        "the main process, fp32 even on a GPU, and bars, drawn into a file, where this template draws none. skorch",
        "writes no log for TensorBoard, and Accelerate computes no loss of the validation.\n",
        *aims(report),
        "![ratios to the limit](speed.png)",
    ]
    for name, result in report["results"].items():
        about = result["origin"]
        versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items())
        lines += [f"\n## {TITLES[name]}\n", f"{about['date']}, commit {about['commit']}, {about['machine']}, Python"]
        lines += [f"{about['python']}, {versions}.", f"{len(result['seconds'][OURS])} rounds."]
        if "peak_above_arrays" in result:
            lines[-1] += f" Above its arrays, this template takes {result['peak_above_arrays']:.0f} MiB (of the host)."
            if before := ", ".join(f"{peak:.0f}" for peak in result.get("peaks_before", [])):
                lines[-1] += f" Measured before, with the same code for it: {before} MiB."
        lines += ["\n| | seconds | to the limit | to this template |\n|---|---|---|---|"]
        for contender, seconds in result["seconds"].items():
            cells = [f"{statistics.median(seconds):.3f}"]
            for to in (LIMIT, OURS):
                ratio = ratios(result["seconds"], contender, to)
                cells.append(f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})")
            lines.append(f"| {contender} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def aims(report: dict[str, Any]) -> list[str]:
    """Return a table of what was aimed at on two cores of a CPU, and what has been measured."""
    results = {name: result["seconds"] for name, result in report["results"].items()}
    if report["device"] != "CPU" or not results.keys() >= {"mlp", "cnn", "digits", "start"}:
        return []
    lines = ["| aimed at | measured | reached |", "|---|---|---|"]
    for name, most in (("mlp", 1.25), ("cnn", 1.10), ("start", 1.20)):
        ratio = ratios(results[name], OURS, LIMIT)["median"]
        what = TITLES[name].split(",")[0]
        lines.append(f"| {what}: at most {most:.2f} of the limit | {ratio:.2f} | {yes(ratio <= most)} |")
    for name, least in (("mlp", 2.0), ("cnn", 1.15), ("digits", 1.5)):
        times = {each: ratios(results[name], each, OURS)["median"] for each in results[name]}
        fastest = min(times.keys() - {OURS, LIMIT}, key=lambda each: times[each])
        measured, reached = f"{times[fastest]:.2f} ({fastest})", yes(times[fastest] >= least)
        what = TITLES[name].split(",")[1 if name == "digits" else 0].strip()
        lines.append(f"| {what}: all others take {least:.2f} times as long, or longer | {measured} | {reached} |")
    peaks = {n: highest(result) for n, result in report["results"].items() if "peak_above_arrays" in result}
    name = max(peaks, key=lambda name: peaks[name])
    megabytes = peaks[name] * 2**20 / 1e6
    lines.append(f"| memory above the arrays: under 700 MB | {megabytes:.0f} MB ({name}) | {yes(megabytes < 700)} |\n")
    return lines


def peak_memory(pid: int) -> int:
    """Return the most bytes that a process of Linux has held so far, 0 if it has just ended.

    What `wait4` tells has more in it: the peak of the process that has started it, which would be this one.
    """
    with suppress(OSError):
        if found := re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE):
            return 1024 * int(found[1])
    return 0


def highest(result: dict[str, Any]) -> float:
    """Return the most memory of all measurements of the same code: of "peaks_before" there may be some."""
    return max([result["peak_above_arrays"], *result.get("peaks_before", [])])


def yes(reached: bool) -> str:
    return "yes" if reached else "no"


def plot(report: dict[str, Any], path: Path) -> None:
    """Draw the ratios to the limit."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in report["results"] if name != "start"]
    figure, axes = pyplot.subplots(1, len(names), figsize=(3.4 * len(names), 3), layout="constrained", squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        seconds = report["results"][name]["seconds"]
        others = [contender for contender in seconds if contender != LIMIT]
        found = [ratios(seconds, contender, LIMIT) for contender in others]
        middle = [ratio["median"] for ratio in found]
        spread = [
            [ratio["median"] - ratio["low"] for ratio in found],
            [ratio["high"] - ratio["median"] for ratio in found],
        ]
        colors = ["tab:blue" if contender == OURS else "silver" for contender in others]
        axis.barh(others, middle, xerr=spread, color=colors, ecolor="gray")
        axis.axvline(1, color="black", linewidth=1)
        axis.invert_yaxis()
        axis.set_title(TITLES[name].replace(", ", "\n", 1), fontsize=8)
        axis.set_xlabel("time / limit", fontsize=8)
        axis.tick_params(labelsize=8)
        if axis is not axes[0][0]:
            axis.set_yticks([])
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(TITLES))
    parser.add_argument("--beside", nargs="*", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--epochs", type=int, help="of each process, in place of the workload's own number")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    chosen = arguments.only or [name for name in TITLES if arguments.device != "cpu" or name != "resnet224"]
    path = arguments.out / "results.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    results, device = before.get("results", {}), describe(arguments.device)
    if before and before["device"] != device:
        parser.error(f"--out: the results there are of {before['device']}; give a folder of its own to {device}")
    here = origin(*PACKAGES)  # now: what is written below makes the tree another one
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(Path(work), arguments)
        for name in chosen:
            print(TITLES[name], flush=True)
            measure = {"digits": bench.whole, "start": bench.start}.get(name, lambda name=name: bench.epochs(name))
            results[name] = {**measure(), "origin": here}
            write({"device": device, "results": results}, arguments.out)
    print((arguments.out / "README.md").read_text())


def describe(device: str) -> str:
    """Return the name of the GPU, with its driver and the CUDA that torch was built for; or that it is a CPU."""
    if not device.startswith("cuda"):
        return "CPU"
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
    return f"{torch.cuda.get_device_name(device)}, driver {driver}, CUDA {torch.version.cuda}"


def write(report: dict[str, Any], folder: Path) -> None:
    """Write results.json, README.md and speed.png, the results in the order of their titles."""
    report["results"] = {name: report["results"][name] for name in TITLES if name in report["results"]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / "README.md").write_text(table(report))
    if set(report["results"]) != {"start"}:  # which the plot leaves out
        plot(report, folder / "speed.png")


if __name__ == "__main__":
    main()
