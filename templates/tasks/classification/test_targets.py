"""Labels of every kind become class numbers (lesson 2 of the notes)."""

from pathlib import Path

import numpy as np
import pytest

from {{ cookiecutter.__package }}.array_file import ArrayFile
from {{ cookiecutter.__package }}.arrays import load_splits
from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.data_config import DataSettings
from {{ cookiecutter.__package }}.errors import DataError, width_of
from {{ cookiecutter.__package }}.targets import Targets, arrange, strata

SETTINGS = TaskSettings()
NAMES = Targets(["a", "b", "c"], [1, 1, 1])


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array([7, 3, 3, 9]), [3, 7, 9]),
        (np.array([[7], [3], [3], [9]]), [3, 7, 9]),
        (np.array([7.0, 3.0, 3.0, 9.0], np.float16), [3, 7, 9]),
        (np.array([7, 3, 3, 9], np.uint8), [3, 7, 9]),
        (np.array([2**60 + 1, 2**60, 2**60, 2**60 + 2], np.uint64), [2**60, 2**60 + 1, 2**60 + 2]),
        (np.array([2**60 + 1, 2**60, 2**60, 2**60 + 2], ">u8"), [2**60, 2**60 + 1, 2**60 + 2]),
        (np.array(["dog", "ant", "ant", "fox"]), ["ant", "dog", "fox"]),
    ],
)
def test_labels_of_every_kind_become_classes(labels: np.ndarray, names: list[object]) -> None:
    y = arrange(labels, (4,), "in y")
    learned = Targets.learn(y, SETTINGS, "in train")
    assert learned.names == names and learned.out_size == 3 and learned.counts == [2, 1, 1]
    assert learned.encode(y, "val").tolist() == [1, 0, 0, 2]
    assert strata(y) is y  # every split should have its share of each class


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.array([0.0, 1.5]), "label 1.5 at index 1 is not a whole number"),
        (np.array([0, 2**63], np.uint64), f"label {2**63} at index 1 is .* too large to be exact"),
        (np.array([0.0, 2.0**24], np.float32), "label 16777216.0 at index 1 is .* too large to be exact"),
        (np.array([0.0, 1e19]), "label 1e.19 at index 1 is .* too large to be exact"),
        (np.array([0, 2**63], np.longdouble), "label 9.*e.18 at index 1 is .* too large to be exact"),
        (np.zeros((4, 2)), r"the labels have shape \(4, 2\)"),
        (np.zeros(4), "all labels are 0; in train; give it"),
    ],
)
def test_labels_that_are_none_get_one_sentence(labels: np.ndarray, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        Targets.learn(arrange(labels, (4,), "in y"), SETTINGS, "in train")


def test_a_class_that_was_not_trained_is_refused() -> None:
    for labels, some in ((["a", "x", "x"], "'x'"), (list("xyzwa"), r"'w', 'x', 'y', \.\.\.")):
        sentence = rf"the 3 classes of the training split: {some}; in the val split; train on some samples"
        with pytest.raises(DataError, match=sentence):
            NAMES.encode(np.array(labels), "in the val split")


def test_numbers_are_not_taken_for_strings() -> None:
    """They would be compared as strings, where 10 comes before 2."""
    with pytest.raises(
        DataError, match=r"the labels are of type <U2, and those of the training split int64; in the val"
    ):
        Targets([2, 10], [1, 1]).encode(np.array(["2", "10"]), "in the val split")


def test_the_splits_share_every_class(small: Path) -> None:
    for split in load_splits(ArrayFile(small), DataSettings(path=small)).values():
        shares = np.bincount(split.y, minlength=10) / len(split)
        assert shares.min() > 0.03 and shares.max() < 0.2


def test_the_balance_counts_every_class_of_every_split() -> None:
    lines = NAMES.balance({"train": np.array(["b", "b", "c"]), "test": np.array(["a", "b"])})
    assert [line.split() for line in lines] == [
        ["class", "train", "test"], ["'b'", "2", "1"], ["'c'", "1", "0"], ["'a'", "0", "1"],
        ["classes", "without", "a", "sample", "in", "train:", "1"],
        ["classes", "without", "a", "sample", "in", "test:", "1"],
    ]  # fmt: skip


def test_the_balance_of_many_classes_shows_the_largest_and_the_smallest() -> None:
    many = Targets(list(range(100)), [1] * 100)
    lines = many.balance({"train": np.repeat(np.arange(100), np.arange(100) + 1)})
    assert len(lines) == 12 and lines[1].split() == ["99", "100"] and lines[-1].split() == ["0", "1"]
    assert lines[6] == "... 90 classes of sizes between these ..."


def test_chinese_names_take_two_columns_a_letter() -> None:
    names = ["dog", "\u732b" * 30]
    lines = Targets(names, [1, 1]).balance({"train": np.array(names)})
    assert [width_of(line) for line in lines] == [len(lines[0])] * 3 and "..." in lines[2]


def test_control_characters_in_labels_do_not_reach_the_terminal() -> None:
    assert Targets(["a", "b\x1b[31m"], [1, 1]).describe() == "2 classes: 'a', 'b\\x1b[31m'"
