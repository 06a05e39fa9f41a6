"""Cross entropy gets what it needs, whatever the labels look like (lesson 2 of the notes)."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.data import ArrayDataset
from {{ cookiecutter.__package }}.figures import draw
from {{ cookiecutter.__package }}.targets import Targets
from {{ cookiecutter.__package }}.task import Task

CPU = torch.device("cpu")
OUTPUT = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [1.0, 3.0, 0.0]])
TARGET = torch.tensor([0, 2, 2])


def task(**settings: Any) -> Task:
    return Task(Targets(["a", "b", "c"], [1, 1, 2]), TaskSettings(**settings), CPU)


def of_classes(names: list[str | int]) -> Task:
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


def test_balanced_weights_and_label_smoothing_go_together() -> None:
    """By hand: 0.3 is spread over three classes, so a sample is 0.8 of its own class; the weights are those above."""
    shares = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.1, 0.1, 0.8]])
    losses = -(shares * OUTPUT.log_softmax(1)).sum(1)
    expected = (losses * torch.tensor([4 / 3, 2 / 3, 2 / 3])).mean()
    assert torch.allclose(task(class_weights="balanced", label_smoothing=0.3).loss(OUTPUT, TARGET), expected)


def test_more_is_better_of_everything_but_the_loss() -> None:
    few = {"loss": False, "accuracy": True, "macro_f1": True}
    assert task().maximize == few
    assert of_classes(list(range(6))).maximize == few | {"top_5_accuracy": True}


def test_metrics_weigh_every_sample_the_same() -> None:
    metrics = task().metrics(CPU, 9)
    metrics.update(OUTPUT[:2], TARGET[:2])
    metrics.update(OUTPUT[2:], TARGET[2:, None])  # a smaller last batch, (N, 1) targets
    scores = metrics.compute()
    assert scores["accuracy"] == pytest.approx(2 / 3)
    # by hand: F1 is 1 for class 0, 0 for class 1 (predicted once, wrongly), 2/3 for class 2
    assert scores["macro_f1"] == pytest.approx((1 + 0 + 2 / 3) / 3)
    assert set(scores) == set(task().maximize) - {"loss"} >= {"accuracy", "macro_f1"}
    assert "top_5_accuracy" not in scores  # of three classes
    assert metrics.details() == {"f1/a": 1.0, "f1/b": 0.0, "f1/c": pytest.approx(2 / 3)}


def test_classes_that_neither_occur_nor_are_predicted_count_nowhere() -> None:
    metrics = of_classes([3, 5, 7, 9]).metrics(CPU, 9)
    metrics.update(torch.eye(4)[[0, 2]], torch.tensor([0, 1]))
    # by hand: F1 is 1 for class 3, and 0 for class 5, which only occurs, and 7, which is only predicted
    assert metrics.compute()["macro_f1"] == pytest.approx(1 / 3)
    assert metrics.details() == {"f1/3": 1.0, "f1/5": 0.0, "f1/7": 0.0}


def test_more_samples_than_floats_can_count() -> None:
    """32-bit floats have no number between 2**24 and 2**24 + 2."""
    metrics = of_classes([0, 1]).metrics(CPU, 9)
    target = torch.zeros(2**22, dtype=torch.uint8)
    for hit in (True, True, True, True, False):
        metrics.update(torch.tensor([[hit, not hit]]).expand(2**22, 2).byte(), target)
    assert metrics.compute()["accuracy"] == pytest.approx(0.8)


def test_top_5_counts_the_five_best_of_many_classes() -> None:
    metrics = of_classes(list(range(6))).metrics(CPU, 9)
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


def test_long_names_are_told_apart_in_figures() -> None:
    long = [f"adenocarcinoma of the lung, stage {stage}" for stage in ("I", "II")]
    samples, output, target = np.zeros((2, 1, 2, 2)), torch.tensor([[0.0, 9.0], [0.0, 9.0]]), torch.tensor([0, 1])
    figures = draw(ArrayDataset(samples, target.numpy()), output, target, of_classes(long))
    short = ["adenocarc... stage I", "adenocarc...stage II"]
    assert [label.get_text() for label in figures["confusion"].axes[0].get_yticklabels()] == short
    (title,) = (axes.get_title().replace("\n", " ") for axes in figures["worst_mistakes"].axes if axes.images)
    assert title == f"{short[0]}, taken for {short[1]} (100%)"


def test_figures_by_hand() -> None:
    """Of three samples of a, two are taken for b; of two of c, one is taken for a; there is none of b."""
    target = torch.tensor([0, 0, 0, 2, 2])
    probability = torch.tensor([[0.9, 0.05, 0.05], [0.3, 0.6, 0.1], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7], [0.7, 0.1, 0.2]])
    samples = np.arange(5.0).repeat(4).reshape(5, 1, 2, 2)
    column = target[:, None].float()  # as a dataset of one's own may give them
    figures = draw(ArrayDataset(samples, target.numpy()), probability.log(), column, task())

    matrix = figures["confusion"].axes[0]
    assert (matrix.get_xlabel(), matrix.get_ylabel()) == ("predicted", "true")
    assert [label.get_text() for label in matrix.get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in matrix.get_yticklabels()] == ["a", "b", "c"]
    shares = [[1 / 3, 2 / 3, 0.0], [0.0, 0.0, 0.0], [1 / 2, 0.0, 1 / 2]]  # of the samples of each class: a row
    assert np.allclose(np.asarray(matrix.images[0].get_array()), shares)
    counts = {text.get_position(): text.get_text() for text in matrix.texts}  # by column and row
    assert counts == {(0, 0): "1", (1, 0): "2", (0, 2): "1", (2, 2): "1"}

    shown = [axes for axes in figures["worst_mistakes"].axes if axes.images]
    titles = ["a, taken for b (80%)", "c, taken for a (70%)", "a, taken for b (60%)"]  # the surest comes first
    assert [axes.get_title() for axes in shown] == titles
    assert [np.asarray(axes.images[0].get_array()).max() for axes in shown] == [2, 4, 1]
