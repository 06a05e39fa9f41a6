"""Cross entropy gets what it needs, whatever the labels look like (lesson 2 of the notes)."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from {{ cookiecutter.__package }}.errors import DataError
from {{ cookiecutter.__package }}.task import Task

CPU = torch.device("cpu")
OUTPUT = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [1.0, 3.0, 0.0]])
TARGET = torch.tensor([0, 2, 2])


def task(**settings: float) -> Task:
    return Task(["a", "b", "c"], **settings)


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


def test_label_smoothing_reaches_the_loss() -> None:
    assert task(label_smoothing=0.5).loss(OUTPUT, TARGET) != task().loss(OUTPUT, TARGET)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array([7, 3, 3, 9]), [3, 7, 9]),
        (np.array([[7], [3], [3], [9]]), [3, 7, 9]),
        (np.array([7.0, 3.0, 3.0, 9.0], np.float16), [3, 7, 9]),
        (np.array([7, 3, 3, 9], np.uint8), [3, 7, 9]),
        (np.array(["dog", "ant", "ant", "fox"]), ["ant", "dog", "fox"]),
    ],
)
def test_labels_of_every_kind_become_classes(labels: np.ndarray, names: list[object]) -> None:
    learned = Task.from_targets(labels, label_smoothing=0.0)
    assert learned.class_names == names and learned.out_size == 3
    assert learned.encode(labels, "in val").tolist() == [1, 0, 0, 2]


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.array([0.0, 1.5]), "label 1.5 at index 1 is not a whole number"),
        (np.array([0.0, 1e19]), "label 1e.19 at index 1 is .* too large to be exact"),
        (np.zeros((4, 2)), r"the labels have shape \(4, 2\)"),
        (np.zeros(4), "all labels are 0; in the training split"),
    ],
)
def test_labels_that_are_none_get_one_sentence(labels: np.ndarray, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        Task.from_targets(labels, label_smoothing=0.0)


def test_a_class_that_was_not_trained_is_refused() -> None:
    with pytest.raises(DataError, match="label 'x' at index 1 is not a class of the training split; in val"):
        task().encode(np.array(["a", "x"]), "in val")


def test_metrics_weigh_every_sample_the_same() -> None:
    metrics = task().metrics(CPU)
    metrics.update(OUTPUT[:2], TARGET[:2])
    metrics.update(OUTPUT[2:], TARGET[2:, None])  # a smaller last batch, (N, 1) targets
    scores = metrics.compute()
    assert scores["accuracy"] == pytest.approx(2 / 3)
    # by hand: F1 is 1 for class 0, 0 for class 1 (predicted once, wrongly), 2/3 for class 2
    assert scores["macro_f1"] == pytest.approx((1 + 0 + 2 / 3) / 3)
    assert set(scores) == set(task().maximize) - {"loss"} == {"accuracy", "macro_f1"}


def test_top_5_counts_the_five_best_of_many_classes() -> None:
    metrics = Task(list(range(8))).metrics(CPU)
    metrics.update(torch.arange(8.0).repeat(2, 1), torch.tensor([3, 2]))
    assert metrics.compute()["top_5_accuracy"] == 0.5
    assert set(metrics.compute()) == set(Task(list(range(8))).maximize) - {"loss"}


def test_a_missing_class_shows_in_the_balance() -> None:
    assert task().balance(torch.tensor([0, 0, 1])) == "0 to 2 samples of each class"


def test_control_characters_in_labels_do_not_reach_the_terminal() -> None:
    assert Task(["a", "b\x1b[31m"]).describe() == "2 classes: 'a', 'b\\x1b[31m'"
