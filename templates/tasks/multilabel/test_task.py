"""Every label is a question of its own; average precision ranks the samples."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.data import ArrayDataset
from {{ cookiecutter.__package }}.figures import draw, labels
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


def test_balanced_weights_of_an_answer_that_is_very_rare_are_finite() -> None:
    rare = Task(Targets([2**25 - 1], 2**25), TaskSettings(class_weights="balanced"), CPU)
    assert rare.weights.flatten().tolist() == pytest.approx([2.0**24, 0.5])


def test_other_shapes_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"takes outputs and targets \(B, 2\), .*; it was given \(4, 2\) and \(4,\)"):
        task().loss(OUTPUT, TARGET[:, 0])
    with pytest.raises(ValueError, match=r"\(B, 2\), .*; it was given \(4, 3\) and \(4, 3\)"):
        task().loss(OUTPUT[:, [0, 1, 1]], TARGET[:, [0, 1, 1]])
    with pytest.raises(ValueError, match="in this order"):
        task().loss(TARGET, OUTPUT)


def test_metrics_take_no_output_that_would_be_broadcast() -> None:
    """A model of one's own may have more outputs than labels; who scores them, must say which."""
    with pytest.raises(RuntimeError, match="expects each tensor to be equal size"):
        task().metrics(CPU, 9).update(OUTPUT, TARGET[:, :1])


def test_metrics_by_hand_in_batches_of_any_size() -> None:
    metrics = task().metrics(CPU, 9)
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


def test_more_is_better_of_everything_but_the_loss() -> None:
    more = {"mean_average_precision": True, "macro_f1": True, "subset_accuracy": True}
    assert task().maximize == {"loss": False} | more


def test_the_threshold_reaches_the_metrics() -> None:
    metrics = task(threshold=0.7).metrics(CPU, 9)
    metrics.update(OUTPUT, TARGET)
    scores = metrics.compute()
    # Label 0: predicted for samples 0 and 1, of which one is right, of three; label 1: for its only sample.
    assert scores["macro_f1"] == pytest.approx((2 * 1 / (2 + 3) + 1) / 2)
    assert scores["subset_accuracy"] == pytest.approx(1 / 4)


def test_labels_that_neither_occur_nor_are_predicted_count_nowhere() -> None:
    metrics = Task(Targets([1, 1, 1, 1], 2), TaskSettings(), CPU).metrics(CPU, 9)
    output = torch.tensor([[2.0, -1.0, 1.0, -1.0], [-2.0, -1.0, -1.0, -2.0]])
    metrics.update(output, torch.tensor([[1, 0, 0, 0], [0, 0, 0, 1]]))
    # F1 is 1 for label 0, and 0 for label 2, which is only predicted, and 3, which only occurs, at the second rank.
    assert metrics.compute()["macro_f1"] == pytest.approx(1 / 3)
    assert metrics.compute()["mean_average_precision"] == pytest.approx((1 + 1 / 2) / 2)
    assert metrics.details() == {"average_precision/0": 1.0, "average_precision/3": 0.5}


def test_equal_outputs_share_their_rank() -> None:
    """Whatever their order in the file: of four samples with one output, two have the label."""
    metrics = Task(Targets([2], 4), TaskSettings(), CPU).metrics(CPU, 9)
    metrics.update(torch.zeros(4, 1), torch.tensor([[1], [1], [0], [0]]))
    assert metrics.compute()["mean_average_precision"] == pytest.approx(0.5)


def test_predictions_are_0_and_1_with_their_probabilities() -> None:
    predicted = task(threshold=0.7).predict(OUTPUT)
    assert predicted["prediction"].tolist() == [[1, 0], [1, 1], [0, 0], [0, 0]]
    assert predicted["probability"][0, 0] == pytest.approx(0.952574, abs=1e-5)
    assert task().column_names() == {"prediction": ["0", "1"], "probability": ["0", "1"]}


def test_a_label_that_does_not_occur_has_no_curve() -> None:
    target = TARGET.clone()
    target[:, 0] = 0
    figure = draw(ArrayDataset(np.zeros((4, 2)), target.numpy()), OUTPUT, target, task())["precision_recall"]
    assert [line.get_label() for line in figure.axes[0].lines] == ["1"]


def test_figures_by_hand() -> None:
    """A fifth sample has a label 0 of probability 0.57, which is below the threshold."""
    output, target = torch.cat([OUTPUT, torch.tensor([[0.3, -1.0]])]), torch.cat([TARGET, torch.zeros(1, 2).byte()])
    samples = np.arange(5.0).repeat(4).reshape(5, 1, 2, 2)
    figures = draw(ArrayDataset(samples, target.numpy()), output, target, task(threshold=0.6))

    curves = figures["precision_recall"].axes[0]
    assert (curves.get_xlabel(), curves.get_ylabel()) == ("recall", "precision")
    first, second = curves.lines
    assert (first.get_label(), second.get_label()) == ("0", "1")
    # The surest come first. Label 0: yes, no, yes, no, yes; label 1: yes, and no more.
    assert np.allclose(np.asarray(first.get_xdata()), [1 / 3, 1 / 3, 2 / 3, 2 / 3, 1])
    assert np.allclose(np.asarray(first.get_ydata()), [1, 1 / 2, 2 / 3, 2 / 4, 3 / 5])
    assert np.allclose(np.asarray(second.get_xdata()), 1)  # and two samples with equal outputs, which come in at once
    assert np.allclose(np.asarray(second.get_ydata()), [1, 1 / 2, 1 / 4, 1 / 5])

    shown = [axes for axes in figures["worst_mistakes"].axes if axes.images]
    assert [axes.get_title() for axes in shown] == ["0, taken for 1", "1, taken for 0+1"]  # the larger loss comes first
    assert [np.asarray(axes.images[0].get_array()).max() for axes in shown] == [2, 1]


def test_titles_name_the_first_labels() -> None:
    assert labels(torch.tensor([0, 1, 1, 1, 1, 0])) == "1+2+3+4" and labels(torch.ones(5)) == "0+1+2+3+..."
    assert labels(torch.zeros(3)) == "none"
