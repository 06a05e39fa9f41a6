"""How the time of an epoch grows with the work: `nox -s scaling`, a quarter of an hour on two cores.

    python -m benchmarks.scaling.scaling

One thing grows at a time: samples (an mlp on 8 x 8), classes (an mlp on 28 x 28), the batch size (the same), the sides
of an image (a cnn). Every point is a run by the real command with its default logging; its time is the fastest epoch
after the first, from metrics.jsonl. The power is that of the last factor: time grows like work to it; 1 is linear.
Writes results.json, README.md and scaling.png.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from benchmarks.origin import environment, origin, render

HERE = Path(__file__).parent
# what grows: (model, its values)
AXES = {
    "samples": ("mlp", [1_000, 10_000, 100_000, 1_000_000, 10_000_000]),
    "classes": ("mlp", [2, 10, 100, 1_000, 10_000]),
    "batch size": ("mlp", [16, 64, 256, 1024, 4096]),
    "side of an image": ("cnn", [16, 32, 64, 128, 256]),
}
# The work of an epoch grows like what grows, to this power.
WORK = {"samples": 1, "classes": 1, "batch size": 0, "side of an image": 2}


def data(path: Path, axis: str, value: int) -> None:
    """Write uint8 noise (N, 1, side, side), a class each, with a fixed validation split."""
    count = {"samples": value, "classes": 20_000, "batch size": 60_000, "side of an image": 512}[axis]
    side = {"samples": 8, "side of an image": value}.get(axis, 28)
    classes = value if axis == "classes" else 10
    generator = np.random.default_rng(0)
    x = generator.integers(0, 255, (count, 1, side, side), dtype=np.uint8)
    y = np.arange(count) % classes
    val = min(count, max(64, classes))
    np.savez(path, x_train=x, y_train=y, x_val=x[:val], y_val=y[:val])


def measure(project: Path, work: Path, axis: str, value: int) -> float:
    """Return the seconds that the training part of an epoch takes."""
    data(work / "data.npz", axis, value)
    batch_size = {"samples": 1024, "batch size": value, "side of an image": 64}.get(axis, 128)
    epochs = 2 if axis == "samples" and value > 1_000_000 else 4
    runs = Path(tempfile.mkdtemp(dir=work))
    flags = [f"--data.path={work / 'data.npz'}", "--data.channels=first", "--patience=0", f"--runs-dir={runs}"]
    flags += [f"--batch-size={batch_size}", f"--epochs={epochs}", "--device=cpu"]
    command = [sys.executable, "-m", "my_experiment", "train", *flags]
    subprocess.run(command, cwd=project, env=environment(project), check=True, stdout=subprocess.DEVNULL)
    (log,) = runs.glob("*/*/metrics.jsonl")
    return min(json.loads(line)["seconds"] for line in log.read_text().splitlines()[1:])


def exponent(points: dict[str, float]) -> float:
    """Return the power of the last factor."""
    (a, first), (b, second) = [(float(value), seconds) for value, seconds in points.items()][-2:]
    return math.log(second / first) / math.log(b / a)


def table(report: dict[str, Any]) -> str:
    """Return README.md."""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [
        "# How the time of an epoch grows\n",
        f"`nox -s scaling`, {report['date']}, commit {report['commit']}, {report['machine']}, CPU,",
        f"Python {report['python']}, {versions}. Seconds that the training part of an epoch takes, measured",
        "once for each point; the power is computed from the last two points. Time grows more slowly than the work as",
        "long as the fixed cost of a step dominates: few classes, small batches, small images.\n",
        "![seconds of an epoch](scaling.png)\n",
        "| what grows | | | | | | power | power of the work |\n|---|---|---|---|---|---|---|---|",
    ]
    for axis, points in report["results"].items():
        cells = [f"{int(value):,}: {seconds:.3g} s" for value, seconds in points.items()]
        lines.append(f"| {axis} | {' | '.join(cells)} | {exponent(points):.2f} | {WORK[axis]} |")
    return "\n".join(lines) + "\n"


def plot(report: dict[str, Any], path: Path) -> None:
    """Draw seconds over what grows, and the slope of the work."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(report["results"]), figsize=(12, 3), layout="constrained")
    for panel, (axis, points) in zip(panels, report["results"].items(), strict=True):
        values, seconds = np.array([float(value) for value in points]), np.array(list(points.values()))
        panel.loglog(values, seconds, "o-", color="tab:blue")
        panel.loglog(values, seconds[-1] * (values / values[-1]) ** WORK[axis], ":", color="gray")
        panel.set_xticks(values, [f"{value:g}" for value in values], fontsize=8)
        panel.set_xticks([], minor=True)
        panel.set_xlabel(axis)
    panels[0].set_ylabel("seconds of an epoch")
    panels[0].legend(["measured", "the work"], fontsize=8)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE)
    out = parser.parse_args().out
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for axis, (model, values) in AXES.items():
            project = render(work / model, model=model)
            results[axis] = {}
            for value in values:
                results[axis][str(value)] = measure(project, work, axis, value)
                print(f"{axis} {value:,}: {results[axis][str(value)]:.4f} s", flush=True)
    report = {**origin("torch", "numpy"), "results": results}
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(report, indent=1) + "\n")
    (out / "README.md").write_text(table(report))
    plot(report, out / "scaling.png")
    print(table(report))


if __name__ == "__main__":
    main()
