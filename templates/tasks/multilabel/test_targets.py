"""Labels are a matrix of 0 and 1, of any type."""

import numpy as np
import pytest

from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.errors import DataError
from {{ cookiecutter.__package }}.targets import Targets, arrange, strata

Y = np.array([[1, 0], [1, 1], [0, 0]])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_labels_of_every_type_become_0_and_1(dtype: type) -> None:
    y = arrange(Y.astype(dtype), (4,), "in y")
    assert y.dtype == np.uint8 and np.array_equal(y, Y) and strata(y) is None
    learned = Targets.learn(y, TaskSettings(), "in train")
    assert (learned.out_size, learned.counts, learned.samples) == (2, [2, 1], 3)
    assert learned.encode(y, "in val") is y
    assert learned.describe() == "2 labels, which 67%, 33% of the samples have"


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.array([0, 1, 2]), r"the labels are of type int64 and shape \(3,\); in y; give a matrix"),
        (np.array([["a", "b"]]), "the labels are of type <U1 and shape"),
        (np.array([[0, 1], [0.5, 1]]), "label 0 of sample 1 is 0.5; in y; a label is 1 where"),
    ],
)
def test_labels_that_are_none_get_one_sentence(labels: np.ndarray, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        arrange(labels, (4,), "in y")


def test_a_label_that_never_varies_is_refused() -> None:
    with pytest.raises(DataError, match="label 1 is 0 for all samples; in train; leave out this column"):
        Targets.learn(np.array([[1, 0], [0, 0]]), TaskSettings(), "in train")


def test_another_number_of_labels_is_refused() -> None:
    with pytest.raises(DataError, match="there are 3 labels, and 2 in the training split; in val"):
        Targets([2, 1], 3).encode(np.zeros((4, 3)), "in val")


def test_the_balance_counts_every_label_of_every_split() -> None:
    lines = Targets([2, 1], 3).balance({"train": Y, "test": Y[:1]})
    assert [line.split() for line in lines] == [["label", "train", "test"], ["0", "2", "1"], ["1", "1", "0"]]
    assert Targets([1] * 30, 3).balance({"train": np.ones((3, 30))})[-1] == "... and 10 more labels ..."
