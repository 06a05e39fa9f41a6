"""Cross entropy and counts of positions; what is to be ignored counts nowhere."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.figures import show_mask
from {{ cookiecutter.__package }}.plots import grid, show
from {{ cookiecutter.__package }}.targets import IGNORED, Targets
from {{ cookiecutter.__package }}.task import Task

from .test_plots import drawn

CPU = torch.device("cpu")
torch.manual_seed(0)
OUTPUT = torch.randn(3, 3, 4, 5)  # (B, K, H, W)
TARGET = torch.randint(3, (3, 4, 5), dtype=torch.int16)  # (B, H, W)


def task(**settings: Any) -> Task:
    return Task(Targets([0, 7, 200], [6, 3, 3], 255, 0), TaskSettings(**settings), CPU)


def test_the_loss_is_the_mean_over_positions() -> None:
    assert torch.allclose(task().loss(OUTPUT, TARGET), functional.cross_entropy(OUTPUT, TARGET.long()))
    assert task().loss(OUTPUT[:1].bfloat16(), TARGET[:1]).dtype == torch.float32


def test_each_sample_weighs_the_same_however_much_of_it_is_ignored() -> None:
    target = TARGET.clone()
    target[0, 1:] = IGNORED
    target[2] = IGNORED
    first = functional.cross_entropy(OUTPUT[:1, :, :1], target[:1, :1].long())
    second = functional.cross_entropy(OUTPUT[1:2], target[1:2].long())
    assert torch.allclose(task().loss(OUTPUT, target), (first + second) / 3)
    changed = OUTPUT.clone()
    changed[0, :, 1:] = 99 * torch.randn(3, 3, 5)
    assert torch.allclose(task().loss(changed, target), task().loss(OUTPUT, target))


def test_balanced_weights_make_every_class_count_the_same() -> None:
    """By hand: of twelve training positions, six are of the first class, and three of each other."""
    losses = functional.cross_entropy(OUTPUT, TARGET.long(), reduction="none")
    weights = torch.tensor([12 / 18, 12 / 9, 12 / 9])[TARGET.long()]
    assert torch.allclose(task(class_weights="balanced").loss(OUTPUT, TARGET), (losses * weights).mean())


def test_swapped_arguments_are_refused_in_a_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"takes outputs \(B, 3, \.\.\.\) .* in this order; it was given \(3, 4, 5\) and"
    ):
        task().loss(TARGET, OUTPUT)
    with pytest.raises(ValueError, match=r"\(B, 3, \.\.\.\) .*; it was given \(3, 4, 4, 5\) and \(3, 4, 5\)"):
        task().loss(OUTPUT[:, [0, 1, 2, 2]], TARGET)


def test_metrics_by_hand_in_batches_of_any_size() -> None:
    output = functional.one_hot(torch.tensor([[0, 0, 1, 1], [1, 1, 2, 2]]), 3).movedim(-1, 1).float()  # (2, 3, 4)
    target = torch.tensor([[0, 1, 1, IGNORED], [1, 1, 0, IGNORED]], dtype=torch.int16)
    metrics = task().metrics(CPU)
    metrics.update(output[:1], target[:1])
    metrics.update(output[1:], target[1:])
    scores = metrics.compute()
    # Class 0: 1 right, 1 wrong, 1 missed; class 7: 3 right, 1 missed; class 200: 1 wrong.
    assert scores["mean_iou"] == pytest.approx((1 / 3 + 3 / 4 + 0) / 3)
    assert scores["mean_dice"] == pytest.approx((2 / 4 + 6 / 7 + 0) / 3)
    assert scores["pixel_accuracy"] == pytest.approx(4 / 6)
    assert set(scores) == set(task().maximize) - {"loss"}
    assert metrics.details() == {"iou/0": pytest.approx(1 / 3), "iou/7": pytest.approx(3 / 4), "iou/200": 0.0}


def test_predictions_have_the_original_values() -> None:
    predicted = task().predict(OUTPUT.bfloat16())["prediction"]
    assert predicted.dtype == np.uint8 and predicted.shape == (3, 4, 5)
    assert np.array_equal(predicted, np.array([0, 7, 200])[OUTPUT.bfloat16().argmax(1).numpy()])
    wide = Task(Targets([-1, 5, 70_000], [1, 1, 1], 255, 0), TaskSettings(), CPU)
    assert set(np.unique(wide.predict(OUTPUT)["prediction"])) == {-1, 5, 70_000}


@pytest.mark.parametrize("shape", [(2, 30), (1, 8, 8), (3, 8, 8), (5, 8, 8), (1, 4, 8, 8), (3, 4, 8, 8)])
def test_a_mask_lies_over_its_sample(shape: tuple[int, ...]) -> None:
    pictures = []
    for value in (None, 0, 1):
        figure, axes = grid(1, 2)
        show(axes[0], torch.arange(np.prod(shape)).view(shape) % 7)
        if value is not None:
            show_mask(axes[0], torch.full(shape[1:], value), 2)
        pictures.append(drawn(figure))
    assert np.array_equal(pictures[0], pictures[1]) or len(shape) == 2  # class 0 is see-through
    assert not np.array_equal(pictures[0], pictures[2])
