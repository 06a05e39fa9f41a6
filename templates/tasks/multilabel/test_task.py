"""Every label is a question of its own; average precision ranks the samples."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.targets import Targets
from {{ cookiecutter.__package }}.task import Task

CPU = torch.device("cpu")
OUTPUT = torch.tensor([[3.0, -1.0], [1.0, 2.0], [-2.0, 0.5], [0.5, -3.0]])
TARGET = torch.tensor([[1, 0], [0, 1], [1, 0], [1, 0]], dtype=torch.uint8)


def task(**settings: Any) -> Task:
    return Task(Targets([3, 1], 4), TaskSettings(**settings), CPU)


def test_the_loss_is_binary_cross_entropy() -> None:
    expected = functional.binary_cross_entropy_with_logits(OUTPUT, TARGET.float())
    assert torch.allclose(task().loss(OUTPUT, TARGET), expected)
    assert task().loss(OUTPUT[:1].bfloat16(), TARGET[:1]).dtype == torch.float32


def test_balanced_weights_make_both_answers_count_the_same() -> None:
    """By hand: label 0 has three of four samples, so a yes weighs 2/3 and a no 2; label 1 the other way round."""
    losses = functional.binary_cross_entropy_with_logits(OUTPUT, TARGET.float(), reduction="none")
    weights = torch.tensor([[2 / 3, 2 / 3], [2, 2], [2 / 3, 2 / 3], [2 / 3, 2 / 3]])
    assert torch.allclose(task(class_weights="balanced").loss(OUTPUT, TARGET), (losses * weights).mean())


def test_other_shapes_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"takes outputs and targets \(B, 2\), .*; it was given \(4, 2\) and \(4,\)"):
        task().loss(OUTPUT, TARGET[:, 0])
    with pytest.raises(ValueError, match=r"\(B, 2\), .*; it was given \(4, 3\) and \(4, 3\)"):
        task().loss(OUTPUT[:, [0, 1, 1]], TARGET[:, [0, 1, 1]])


def test_metrics_by_hand_in_batches_of_any_size() -> None:
    metrics = task().metrics(CPU)
    metrics.update(OUTPUT[:3], TARGET[:3])
    metrics.update(OUTPUT[3:], TARGET[3:])
    scores = metrics.compute()
    # Label 0: ranks 1 (yes), 2 (no), 3 (yes), 4 (yes): (1/1 + 2/3 + 3/4) / 3. Label 1: its only sample comes first.
    first = (1 + 2 / 3 + 3 / 4) / 3
    assert scores["mean_average_precision"] == pytest.approx((first + 1) / 2)
    # Label 0: predicted for samples 0, 1, 3, of which two are right; label 1: for 1 and 2, of which one is.
    assert scores["macro_f1"] == pytest.approx((2 * 2 / (3 + 3) + 2 * 1 / (2 + 1)) / 2)
    assert scores["subset_accuracy"] == pytest.approx(2 / 4)
    assert set(scores) == set(task().maximize) - {"loss"}
    assert metrics.details() == {"average_precision/0": pytest.approx(first), "average_precision/1": 1.0}


def test_equal_outputs_share_their_rank() -> None:
    """Whatever their order in the file: of four samples with one output, two have the label."""
    metrics = Task(Targets([2], 4), TaskSettings(), CPU).metrics(CPU)
    metrics.update(torch.zeros(4, 1), torch.tensor([[1], [1], [0], [0]]))
    assert metrics.compute()["mean_average_precision"] == pytest.approx(0.5)


def test_predictions_are_0_and_1_with_their_probabilities() -> None:
    predicted = task(threshold=0.7).predict(OUTPUT)
    assert predicted["prediction"].tolist() == [[1, 0], [1, 1], [0, 0], [0, 0]]
    assert predicted["probability"][0, 0] == pytest.approx(0.952574, abs=1e-5)
    assert task().column_names() == {"prediction": ["0", "1"], "probability": ["0", "1"]}
