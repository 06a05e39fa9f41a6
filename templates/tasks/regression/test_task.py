"""Model and loss see standardised targets; metrics and predictions are in the units of the file."""

from typing import Any

import numpy as np
import pytest
import torch

from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.data import ArrayDataset
from {{ cookiecutter.__package }}.figures import draw, row
from {{ cookiecutter.__package }}.targets import Targets
from {{ cookiecutter.__package }}.task import Task

CPU = torch.device("cpu")
OUTPUT = torch.tensor([[0.0, 1.0], [1.0, -1.0], [2.0, 0.0]])
TARGET = torch.tensor([[0.5, 1.0], [1.0, -1.0], [0.0, 2.0]])


def task(**settings: Any) -> Task:
    return Task(Targets([100.0, -3.0], [10.0, 2.0]), TaskSettings(**settings), CPU)


def test_the_losses_are_those_of_standardised_targets() -> None:
    assert task().loss(OUTPUT, TARGET) == pytest.approx((0.25 + 4 + 4) / 6)
    assert task(loss="mae").loss(OUTPUT, TARGET) == pytest.approx((0.5 + 2 + 2) / 6)
    assert task(loss="huber").loss(OUTPUT, TARGET) == pytest.approx((0.125 + 1.5 + 1.5) / 6)
    assert task().loss(OUTPUT[:1].bfloat16(), TARGET[:1]).dtype == torch.float32


def test_shapes_that_would_be_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match=r"takes outputs and targets \(B, 2\), .*; it was given \(3, 2\) and \(3,\)"):
        task().loss(OUTPUT, TARGET[:, 0])


def test_metrics_take_no_output_that_would_be_broadcast() -> None:
    """A model of one's own may have more outputs than targets; who scores them, must say which."""
    metrics = Task(Targets([0.0], [1.0]), TaskSettings(), CPU).metrics(CPU, 9)
    with pytest.raises(RuntimeError, match="expects each tensor to be equal size"):
        metrics.update(OUTPUT, TARGET[:, :1])


def test_metrics_by_hand_in_batches_of_any_size() -> None:
    metrics = task().metrics(CPU, 9)
    metrics.update(OUTPUT[:2], TARGET[:2])
    metrics.update(OUTPUT[2:], TARGET[2:])
    scores = metrics.compute()
    # Errors of the first target: 5, 0, 20; of the second: 0, 0, 4, in their own units.
    assert scores["mae"] == pytest.approx((25 / 3 + 4 / 3) / 2)
    assert scores["rmse"] == pytest.approx(((425 / 3) ** 0.5 + (16 / 3) ** 0.5) / 2)
    # Squared errors 4.25 and 4 over squared deviations 0.5 and 14/3, of standardised targets.
    assert scores["r2"] == pytest.approx((1 - 4.25 / 0.5 + 1 - 4 / (14 / 3)) / 2)
    assert set(scores) == set(task().maximize) - {"loss"}
    assert metrics.details()["mae/1"] == pytest.approx(4 / 3) and len(metrics.details()) == 6


def test_more_is_better_of_r2_and_less_of_errors() -> None:
    assert task().maximize == {"loss": False, "r2": True, "mae": False, "rmse": False}


def test_targets_without_any_variance_have_nothing_to_explain() -> None:
    for count in (1, 100):
        metrics = task().metrics(CPU, count)
        metrics.update(torch.tensor([[0.3, 0.4]]).repeat(count, 1), torch.tensor([[0.3, 0.3]]).repeat(count, 1))
        assert (metrics.details()["r2/0"], metrics.details()["r2/1"]) == (1.0, 0.0)


def test_predictions_are_in_the_units_of_the_file() -> None:
    assert task().predict(OUTPUT)["prediction"].tolist() == [[100, -1], [110, -5], [120, -3]]
    far = Task(Targets([1.7e9 + 1], [98.0]), TaskSettings(), CPU)
    assert far.predict(OUTPUT[:, :1])["prediction"].tolist() == [1.7e9 + 1, 1.7e9 + 99, 1.7e9 + 197]
    one = Task(Targets([5.0], [2.0]), TaskSettings(), CPU)
    assert one.predict(OUTPUT[:, :1])["prediction"].tolist() == [5, 7, 9]
    assert task().column_names() == {"prediction": ["0", "1"]}


def test_figures_by_hand_in_the_units_of_the_file() -> None:
    samples = np.arange(3.0).repeat(4).reshape(3, 1, 2, 2)
    figures = draw(ArrayDataset(samples, TARGET.numpy()), OUTPUT, TARGET, task())

    first, second = figures["predicted_against_true"].axes
    assert (first.get_title(), second.get_title()) == ("target 0", "target 1")
    assert (first.get_xlabel(), first.get_ylabel()) == ("true", "predicted")
    assert np.array_equal(first.collections[0].get_offsets(), [[105, 100], [110, 110], [100, 120]])
    assert np.array_equal(second.collections[0].get_offsets(), [[-1, -1], [-5, -5], [1, -3]])
    assert np.array_equal(first.lines[0].get_xydata(), [[100, 100], [120, 120]])  # where predictions are perfect
    assert np.array_equal(second.lines[0].get_xydata(), [[-5, -5], [1, 1]])

    # The errors of the last sample are 20 and -4, of the first -5 and 0; the second has none, and is not shown.
    shown = [axes for axes in figures["worst_mistakes"].axes if axes.images]
    titles = ["100, 1, predicted 120, -3", "105, -1, predicted 100, -1"]
    assert [axes.get_title().replace("\n", " ") for axes in shown] == titles
    assert [np.asarray(axes.images[0].get_array()).max() for axes in shown] == [2, 0]


@pytest.mark.parametrize("count", [1, 4, 5, 8, 12])
def test_there_is_a_plot_for_each_target_up_to_nine(count: int) -> None:
    targets = Targets([0.0] * count, [1.0] * count)
    output = torch.randn(3, count)
    figures = draw(ArrayDataset(np.zeros((3, 2)), np.zeros(3)), output, output, Task(targets, TaskSettings(), CPU))
    assert list(figures) == ["predicted_against_true"]  # a sample that is a row of a table has no picture
    axes = figures["predicted_against_true"].axes
    assert len(axes) == min(9, count) and all(each.collections for each in axes)


def test_what_was_zero_before_it_was_rounded_is_drawn_as_zero() -> None:
    targets = Targets([4.5], [2.87])
    y = torch.from_numpy(targets.encode(np.array([[0.0], [9.0]]), "in y"))
    samples = np.zeros((2, 1, 2, 2))
    figures = draw(ArrayDataset(samples, y.numpy()), y + 1, y, Task(targets, TaskSettings(), CPU))
    assert figures["predicted_against_true"].axes[0].collections[0].get_offsets()[0, 0] == 0
    assert figures["worst_mistakes"].axes[0].get_title().startswith(("0, ", "9, "))


def test_titles_tell_two_numbers() -> None:
    assert row(torch.tensor([1234.5])) == "1234.5" and row(torch.tensor([0.1, -2.0, 3.0])) == "0.1, -2, ..."
