"""How well the defaults learn, untouched, against references that see the same splits: `nox -s quality`.

    python -m benchmarks.quality.quality                  # all rows, five seeds; an hour on two cores
    python -m benchmarks.quality.quality --rows iris-mlp  # in `--out`, only these are replaced

Every row is one rendered experiment on one data set. Seed s decides weights, batches and the split. References choose
their settings by the validation split and are fitted to the training split, as the experiment is. A row passes if its
mean is at least that of the best reference minus one standard error: that of the paired differences, and no smaller
than one test sample where the score counts samples. The models of which less is asked have a fixed bar.
Writes results.json and README.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, confusion_matrix, r2_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.origin import environment, origin, render

Splits = dict[str, np.ndarray]


@dataclass(frozen=True)
class Row:
    """A rendered experiment on a data set; `bar` is what is asked of it where that is not its references."""

    data: str  # "bundled", or a function below
    task: str
    model: str
    metric: str
    references: tuple[str, ...]
    bar: float | None = None
    counts_samples: bool = True


def classification(data: str, model: str, *references: str, bar: float | None = None) -> Row:
    return Row(data, "classification", model, "accuracy", references, bar)


ROWS = {
    **{f"digits-{m}": classification("bundled", m, "SVM-RBF", "k-NN") for m in ("cnn", "resnet")},
    **{f"digits-{m}": classification("bundled", m, "SVM-RBF", "k-NN", bar=0.95) for m in ("mlp", "alexnet", "vit")},
    **{
        f"{name}-mlp": classification(name, "mlp", "logistic regression", "gradient boosting")
        for name in ("breast_cancer", "wine", "iris")
    },
    "diabetes-mlp": Row("diabetes", "regression", "mlp", "r2", ("ridge", "gradient boosting"), counts_samples=False),
    "scenes-unet": Row("bundled", "segmentation", "unet", "mean_iou", ("boosted pixels",), counts_samples=False),
    "scenes-unet-clean": Row(
        "bundled", "image_to_image", "unet", "psnr", ("boosted pixels", "linear filter"), counts_samples=False
    ),
    **{f"signals-{m}": classification("signals", m, "SVM-RBF", "k-NN") for m in ("cnn", "resnet", "vit")},
}


def signals() -> tuple[np.ndarray, np.ndarray]:
    """Return 1,500 noisy waves (N, 1, 128) of random phase, length and height, and which of five shapes they have."""
    generator = np.random.default_rng(0)
    y = np.arange(1500) % 5
    cycles, phase, height = generator.uniform([3, 0, 0.5], [6, 1, 1.5], (1500, 3)).T[..., None]
    turn = (np.linspace(0, 1, 128) * cycles + phase) % 1  # (N, 128), where in its cycle each wave is
    shapes = [np.sin(2 * np.pi * turn), np.sign(turn - 0.5), 2 * turn - 1, 1 - 2 * turn, 1 - 4 * abs(turn - 0.5)]
    waves = height * np.choose(y[:, None], shapes)
    return (waves + generator.normal(0, 0.5, waves.shape))[:, None].astype(np.float32), y


def flat(x: np.ndarray) -> np.ndarray:
    """(N, C, ...) -> (N, features)"""
    return x.reshape(len(x), -1).astype(np.float64)


def around(x: np.ndarray) -> np.ndarray:
    """(N, 1, H, W) -> (N * H * W, 25): every pixel with its surroundings"""
    padded = np.pad(x[:, 0].astype(np.float32), ((0, 0), (2, 2), (2, 2)), mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2)).reshape(-1, 25)


def candidates(reference: str, task: str) -> list[BaseEstimator]:
    """Return the settings among which the validation split chooses."""
    if reference == "SVM-RBF":
        return [SVC(C=c, gamma=g) for c in (1, 10, 100) for g in ("scale", 0.001, 0.003)]
    if reference == "k-NN":
        return [KNeighborsClassifier(k) for k in (1, 3, 5)]
    if reference == "logistic regression":
        return [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=5000)) for c in (0.01, 0.1, 1, 10)]
    if reference == "ridge":
        return [make_pipeline(StandardScaler(), Ridge(alpha)) for alpha in (0.1, 1, 10, 100)]
    if reference == "gradient boosting":
        kind = GradientBoostingRegressor if task == "regression" else GradientBoostingClassifier
        return [kind(max_depth=depth, learning_rate=rate, random_state=0) for depth in (1, 3) for rate in (0.03, 0.1)]
    if reference == "linear filter":
        return [Ridge(1.0)]
    kind = HistGradientBoostingRegressor if task == "image_to_image" else HistGradientBoostingClassifier
    return [kind(max_iter=50, random_state=0)]


def score(row: Row, data: Splits, split: str, predicted: np.ndarray) -> float:
    """Return the row's metric of predictions for a split, from definitions that are not ours where there are some."""
    y = data[f"y_{split}"]
    if row.metric == "accuracy":
        return float(accuracy_score(y, predicted))
    if row.metric == "r2":
        return float(r2_score(y, predicted))
    if row.metric == "mean_iou":
        counts = confusion_matrix(y.ravel(), predicted)
        return float(np.mean(counts.diagonal() / (counts.sum(0) + counts.sum(1) - counts.diagonal())))
    squared = np.square(predicted.reshape(len(y), -1) - flat(y)).mean(1)
    return float(np.mean(10 * np.log10(np.ptp(data["y_train"].astype(float)) ** 2 / squared)))


def refer(row: Row, reference: str, data: Splits) -> float:
    """Return what a reference scores on the test split."""
    features = around if row.model == "unet" else flat
    x, y = features(data["x_train"]), data["y_train"].ravel()
    if row.model == "unet":  # a third of the pixels
        some = np.random.default_rng(0).permutation(len(x))[: len(x) // 3]
        x, y = x[some], y[some]
    fitted = [candidate.fit(x, y) for candidate in candidates(reference, row.task)]
    chosen = max(fitted, key=lambda each: score(row, data, "val", each.predict(features(data["x_val"]))))
    return score(row, data, "test", chosen.predict(features(data["x_test"])))


CUT = """
import sys, numpy as np; from pathlib import Path
from my_experiment.array_file import ArrayFile; from my_experiment.arrays import load_splits
from my_experiment.config import DataSettings
settings = DataSettings(path=Path(sys.argv[1]), split_seed=int(sys.argv[2]))
splits = load_splits(ArrayFile(settings.path), settings)
np.savez(sys.argv[3], **{f"{a}_{name}": getattr(split, a) for name, split in splits.items() for a in "xy"})
"""


def job(name: str, seed: int, work: Path) -> dict[str, float]:
    """Train a row with a seed by the real command, and score its references on the same splits."""
    row, key = ROWS[name], f"{name}-{seed}"
    project = work / f"{row.task}-{row.model}" / "my-experiment"
    path = next((project / "data").glob("*.npz")) if row.data == "bundled" else work / f"{row.data}.npz"
    splits = work / f"{key}.npz"
    variables = environment(project, OMP_NUM_THREADS="1")  # since several run side by side
    common: dict[str, Any] = {"cwd": project, "env": variables, "check": True}
    subprocess.run([sys.executable, "-c", CUT, str(path), str(seed), str(splits)], **common)
    if not list((project / "runs").glob(f"{key}/*/evaluation.json")):
        flags = [f"--data.path={path.relative_to(project) if row.data == 'bundled' else path}", f"--name={key}"]
        flags += [f"--seed={seed}", f"--data.split-seed={seed}"]
        with (work / f"{key}.log").open("w") as log:
            subprocess.run([sys.executable, "-m", "my_experiment", "train", *flags], stdout=log, **common)
    (evaluation,) = (project / "runs").glob(f"{key}/*/evaluation.json")
    scores = json.loads(evaluation.read_text())
    with np.load(splits) as file:
        data = {name: file[name] for name in file.files}
    result = {row.model: scores[row.metric], "samples": scores["samples"]}
    result |= {reference: refer(row, reference, data) for reference in row.references}
    print(f"{key}: " + ", ".join(f"{name} {value:.4f}" for name, value in result.items()), flush=True)
    return result


def judge(row: Row, results: list[dict[str, float]]) -> dict[str, Any]:
    """Return the figures of a row, what was asked, and whether it was reached."""
    means = {name: float(np.mean([result[name] for result in results])) for name in (row.model, *row.references)}
    spread = {name: float(np.std([result[name] for result in results], ddof=1)) for name in means}
    best = max(row.references, key=means.__getitem__)
    differences = [result[row.model] - result[best] for result in results]
    error = float(np.std(differences, ddof=1) / len(differences) ** 0.5)
    if row.counts_samples:
        error = max(error, 1 / results[0]["samples"])
    asked = row.bar if row.bar is not None else means[best] - error
    return {
        **{"task": row.task, "model": row.model, "metric": row.metric, "mean": means, "spread": spread},
        **{"best_reference": best, "standard_error": error, "asked": asked, "passed": means[row.model] >= asked},
        "seeds": results,
    }


def table(report: dict[str, Any]) -> str:
    """Return README.md."""
    return "\n".join(lines(report["rows"])) + "\n"


def lines(rows: dict[str, Any]) -> Iterator[str]:
    """Yield its lines."""
    yield "# How well the defaults learn\n"
    for about in dict.fromkeys(map(provenance, rows.values())):
        yield f"`nox -s quality`, {about}."
    yield (
        "\n"
        "Every experiment is rendered and trained with its default settings: mean ± standard deviation on the test\n"
        "split. A row passes if our mean reaches that of the best reference, less one standard error of the paired\n"
        "differences (no less than one test sample), or a fixed bar. The references are fitted to the same splits, as\n"
        "`quality.py` says.\n"
    )
    yield "| data and model | score | ours | references | asked | reached | commit |\n|---|---|---|---|---|---|---|"
    for name, row in rows.items():
        shown = {key: f"{row['mean'][key]:.4f} ± {row['spread'][key]:.4f}" for key in row["mean"]}
        references = "; ".join(f"{key} {value}" for key, value in shown.items() if key != row["model"])
        reached = "yes" if row["passed"] else "no"
        cells = row["metric"], shown[row["model"]], references, f"{row['asked']:.4f}", reached, row["origin"]["commit"]
        yield f"| {name} | {' | '.join(cells)} |"


def provenance(row: dict[str, Any]) -> str:
    """Return in a line when, where and with what a row was measured."""
    about = row["origin"]
    return (
        f"{about['date']}, commit {about['commit']}, torch {about['versions']['torch']}, {about['machine']}, "
        f"{len(row['seeds'])} seeds"
    )


def measure(rows: dict[str, Row], seeds: range, work: Path) -> dict[str, Any]:
    """Render, train and score in a folder, several side by side; return each row for results.json."""
    here = origin("torch")  # now: what is written below makes the tree another one
    work.mkdir(parents=True, exist_ok=True)
    for name in ("breast_cancer", "wine", "iris", "diabetes"):
        bunch = getattr(datasets, f"load_{name}")()
        np.savez(work / f"{name}.npz", x=bunch.data, y=bunch.target)
    x, y = signals()
    np.savez(work / "signals.npz", x=x, y=y)
    for task, model in {(row.task, row.model) for row in rows.values()}:
        folder = work / f"{task}-{model}"
        if not folder.exists():
            render(folder, task=task, model=model)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {(name, seed): pool.submit(job, name, seed, work) for seed in seeds for name in rows}
        results = {key: future.result() for key, future in jobs.items()}
    judged = {name: judge(row, [results[name, seed] for seed in seeds]) for name, row in rows.items()}
    return {name: {**row, "origin": here} for name, row in judged.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--work", type=Path, help="a folder to work in; runs that are there are taken as they are")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = (arguments.work or Path(temporary)).resolve()
        measured = measure({name: ROWS[name] for name in arguments.rows}, range(arguments.seeds), work)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "results.json"
    found = {**(json.loads(path.read_text())["rows"] if path.exists() else {}), **measured}
    rows = {name: found[name] for name in ROWS if name in found}
    report = {"rows": rows}
    path.write_text(json.dumps(report, indent=1) + "\n")
    (arguments.out / "README.md").write_text(table(report))
    print(table(report), end="")
    if short := [name for name, row in measured.items() if not row["passed"]]:
        raise SystemExit(f"these rows fall short: {', '.join(short)}")


if __name__ == "__main__":
    main()
