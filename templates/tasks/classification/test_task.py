"""Cross entropy gets what it needs, whatever the labels look like (lesson 2 of the notes)."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.targets import Targets
from {{ cookiecutter.__package }}.task import Task

CPU = torch.device("cpu")
OUTPUT = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [1.0, 3.0, 0.0]])
TARGET = torch.tensor([0, 2, 2])


def task(**settings: Any) -> Task:
    return Task(Targets(["a", "b", "c"], [1, 1, 2]), TaskSettings(**settings), CPU)


def of_classes(names: list[int]) -> Task:
    return Task(Targets(names, [1] * len(names)), TaskSettings(), CPU)


@pytest.mark.parametrize("target", [TARGET, TARGET[:, None], TARGET.float(), TARGET.int()[:, None]])
def test_targets_of_every_kind_give_the_same_loss(target: torch.Tensor) -> None:
    assert task().loss(OUTPUT, target) == functional.cross_entropy(OUTPUT, TARGET)


@pytest.mark.parametrize("target", [TARGET[:1], TARGET[:1, None]])
def test_a_batch_of_one_stays_a_batch(target: torch.Tensor) -> None:
    assert task().loss(OUTPUT[:1], target) == functional.cross_entropy(OUTPUT[:1], TARGET[:1])


def test_half_precision_outputs_are_added_up_in_full() -> None:
    assert task().loss(OUTPUT.bfloat16(), TARGET).dtype == torch.float32


def test_swapped_arguments_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"takes outputs .* in this order; it was given \(3,\) and \(3, 3\)"):
        task().loss(TARGET, OUTPUT)
    with pytest.raises(ValueError, match=r"takes outputs \(B, 3\) .* it was given \(3, 4\) and \(3,\)"):
        task().loss(torch.zeros(3, 4), TARGET)  # a class too many


def test_label_smoothing_reaches_the_loss() -> None:
    assert task(label_smoothing=0.5).loss(OUTPUT, TARGET) != task().loss(OUTPUT, TARGET)


def test_balanced_weights_make_every_class_count_the_same() -> None:
    """By hand: of four training samples, two are of class c; so a and b weigh 4/3, and c 2/3."""
    losses = functional.cross_entropy(OUTPUT, TARGET, reduction="none")
    expected = (losses * torch.tensor([4 / 3, 2 / 3, 2 / 3])).mean()
    assert torch.allclose(task(class_weights="balanced").loss(OUTPUT, TARGET), expected)


def test_metrics_weigh_every_sample_the_same() -> None:
    metrics = task().metrics(CPU)
    metrics.update(OUTPUT[:2], TARGET[:2])
    metrics.update(OUTPUT[2:], TARGET[2:, None])  # a smaller last batch, (N, 1) targets
    scores = metrics.compute()
    assert scores["accuracy"] == pytest.approx(2 / 3)
    # by hand: F1 is 1 for class 0, 0 for class 1 (predicted once, wrongly), 2/3 for class 2
    assert scores["macro_f1"] == pytest.approx((1 + 0 + 2 / 3) / 3)
    assert set(scores) == set(task().maximize) - {"loss"} >= {"accuracy", "macro_f1"}
    assert "top_5_accuracy" not in scores  # of three classes
    assert metrics.details() == {"f1/a": 1.0, "f1/b": 0.0, "f1/c": pytest.approx(2 / 3)}


def test_more_samples_than_floats_can_count() -> None:
    """32-bit floats have no number between 2**24 and 2**24 + 2."""
    metrics = of_classes([0, 1]).metrics(CPU)
    target = torch.zeros(2**22, dtype=torch.uint8)
    for hit in (True, True, True, True, False):
        metrics.update(torch.tensor([[hit, not hit]]).expand(2**22, 2).byte(), target)
    assert metrics.compute()["accuracy"] == pytest.approx(0.8)


def test_top_5_counts_the_five_best_of_many_classes() -> None:
    metrics = of_classes(list(range(6))).metrics(CPU)
    metrics.update(torch.arange(6.0).repeat(2, 1), torch.tensor([1, 0]))
    assert metrics.compute()["top_5_accuracy"] == 0.5
    assert set(metrics.compute()) == set(of_classes(list(range(6))).maximize) - {"loss"}


def test_predictions_have_the_original_names() -> None:
    predicted = task().predict(OUTPUT.bfloat16())
    assert predicted["prediction"].tolist() == ["a", "c", "b"]
    assert predicted["probability"].dtype == np.float32 and predicted["probability"].shape == (3, 3)
    assert np.allclose(predicted["probability"], OUTPUT.softmax(1).numpy(), atol=0.01)
    assert task().column_names() == {"probability": ["a", "b", "c"]}
    assert of_classes([3, 7, 9]).predict(OUTPUT)["prediction"].tolist() == [3, 9, 7]
