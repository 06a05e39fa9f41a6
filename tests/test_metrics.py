"""The metrics are those of scikit-learn and torchmetrics, over batches of uneven sizes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import metrics
from torchmetrics.functional.image import structural_similarity_index_measure

from .conftest import environment

Project = Callable[[str, str], Path]
SCORE = """
import sys
import numpy as np, torch
from my_experiment.config import TaskSettings
from my_experiment.targets import Targets, arrange
from my_experiment.task import Task
import json
data = np.load("{data}")
output, raw = torch.from_numpy(data["output"]), arrange(data["y"], tuple(data["sample_shape"]), "in y")
targets = Targets.learn(raw, TaskSettings(), "in train")
y = torch.from_numpy(targets.encode(raw, "in train"))
task = Task(targets, TaskSettings(), torch.device("cpu"))
metrics = task.metrics(torch.device("cpu"), len(output))
for part in torch.arange(len(y)).split(37):
    metrics.update(output[part], y[part])
print(json.dumps(metrics.compute() | metrics.details()))
"""


def score(
    project: Path, folder: Path, output: np.ndarray, y: np.ndarray, sample_shape: tuple[int, ...]
) -> dict[str, float]:
    """Return the metrics of a rendered project for outputs and targets, as a file would have them."""
    path = folder / "data.npz"
    np.savez(path, output=output.astype(np.float32), y=y, sample_shape=sample_shape)
    result = subprocess.run(
        [sys.executable, "-c", SCORE.format(data=path)],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_classification(project: Project, tmp_path: Path, classes: int) -> None:
    generator = np.random.default_rng(classes)
    y = np.concatenate([np.arange(classes), generator.integers(0, classes, 250) ** 2 // classes])
    output = generator.normal(size=(len(y), classes)) + 1.5 * np.eye(classes)[y]
    ours = score(project("classification", "mlp"), tmp_path, output, y, (4,))
    predicted = output.astype(np.float32).argmax(1)
    assert ours["accuracy"] == pytest.approx(metrics.accuracy_score(y, predicted))
    assert ours["macro_f1"] == pytest.approx(metrics.f1_score(y, predicted, average="macro"))
    for name, f1 in enumerate(metrics.f1_score(y, predicted, average=None)):
        assert ours[f"f1/{name}"] == pytest.approx(f1)
    if classes > 5:
        assert ours["top_5_accuracy"] == pytest.approx(metrics.top_k_accuracy_score(y, output, k=5))


@pytest.mark.parametrize("ties", [False, True])
def test_multilabel(project: Project, tmp_path: Path, ties: bool) -> None:
    generator = np.random.default_rng(0)
    y = (generator.uniform(size=(300, 5)) < [0.02, 0.1, 0.3, 0.5, 0.9]).astype(int)
    output = generator.normal(size=y.shape) + y
    if ties:
        output = output.round()
    ours = score(project("multilabel", "mlp"), tmp_path, output, y, (4,))
    predicted = output >= 0
    assert ours["mean_average_precision"] == pytest.approx(metrics.average_precision_score(y, output), abs=1e-5)
    assert ours["macro_f1"] == pytest.approx(metrics.f1_score(y, predicted, average="macro"))
    assert ours["subset_accuracy"] == pytest.approx(metrics.accuracy_score(y, predicted))
    for label, precision in enumerate(metrics.average_precision_score(y, output, average=None)):
        assert ours[f"average_precision/{label}"] == pytest.approx(precision, abs=1e-5)


@pytest.mark.parametrize("columns", [1, 3])
def test_regression(project: Project, tmp_path: Path, columns: int) -> None:
    """Outputs are standardised, and the metrics in the units of the file."""
    generator = np.random.default_rng(0)
    y = generator.normal(size=(300, columns)) * [1, 1000, 1e-3][:columns] + [5, -1e5, 0][:columns]
    output = (y - y.mean(0)) / y.std(0) + 0.3 * generator.normal(size=y.shape)
    predicted = output.astype(np.float32) * y.std(0) + y.mean(0)
    ours = score(project("regression", "mlp"), tmp_path, output, y, (4,))
    assert ours["mae"] == pytest.approx(metrics.mean_absolute_error(y, predicted), rel=1e-5)
    expected = metrics.root_mean_squared_error(y, predicted)
    assert ours["rmse"] == pytest.approx(expected, rel=1e-5)
    assert ours["r2"] == pytest.approx(metrics.r2_score(y, predicted), rel=1e-5)
    if columns > 1:
        for k, r2 in enumerate(metrics.r2_score(y, predicted, multioutput="raw_values")):
            assert ours[f"r2/{k}"] == pytest.approx(r2, rel=1e-4)


def test_segmentation(project: Project, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 4, (90, 6, 7)) * 10
    y[generator.uniform(size=y.shape) < 0.2] = 255  # unknown
    output = generator.normal(size=(90, 4, 6, 7)) + np.moveaxis(np.eye(4)[y // 10 % 4], -1, 1)
    ours = score(project("segmentation", "unet"), tmp_path, output, y, (1, 6, 7))
    known = y != 255
    true, predicted = y[known], 10 * output.astype(np.float32).argmax(1)[known]
    assert ours["mean_iou"] == pytest.approx(metrics.jaccard_score(true, predicted, average="macro"))
    assert ours["mean_dice"] == pytest.approx(metrics.f1_score(true, predicted, average="macro"))
    assert ours["pixel_accuracy"] == pytest.approx(metrics.accuracy_score(true, predicted))
    for value, iou in zip([0, 10, 20, 30], metrics.jaccard_score(true, predicted, average=None), strict=True):
        assert ours[f"iou/{value}"] == pytest.approx(iou)


@pytest.mark.parametrize("channels", [1, 3])
def test_image_to_image(project: Project, tmp_path: Path, channels: int) -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 256, (80, channels, 6, 5)).repeat(4, 2).repeat(4, 3).astype(np.uint8)
    y[0, 0, 0, :2] = 0, 255  # the whole range
    predicted = y + generator.normal(0, 30, y.shape)
    axes = (0, 2, 3)
    mean, std = y.mean(axes, keepdims=True), y.std(axes, keepdims=True)
    ours = score(project("image_to_image", "unet"), tmp_path, (predicted - mean) / std, y, (channels, 24, 20))
    assert ours["mae"] == pytest.approx(np.abs(predicted - y).mean(), rel=1e-4)
    squared = np.square(predicted - y).mean((1, 2, 3))
    assert ours["psnr"] == pytest.approx(np.mean(10 * np.log10(255**2 / squared)), rel=1e-5)
    _, everywhere = structural_similarity_index_measure(
        torch.tensor(predicted / 255), torch.tensor(y / 255), data_range=1.0, sigma=1.5, return_full_image=True
    )  # torchmetrics fills windows at the edge with a mirror; ours, as the paper's, are whole
    assert ours["ssim"] == pytest.approx(float(everywhere[..., 5:-5, 5:-5].mean()), abs=1e-4)
