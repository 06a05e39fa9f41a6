"""What `inspect` sees: ranges, missing values, duplicates, and where splits come from."""

from pathlib import Path

import numpy as np
import pytest

from {{ cookiecutter.__package }} import checks
from {{ cookiecutter.__package }}.array_file import ArrayFile
from {{ cookiecutter.__package }}.data_config import DataSettings
from {{ cookiecutter.__package }}.errors import DataError
from {{ cookiecutter.__package }}.splits import Split
from {{ cookiecutter.__package }}.survey import describe_array, digests, origin, shared

SPLIT = Split(np.arange(20).reshape(10, 2), np.zeros(10))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[3, -1], [0, 250]], ">i2"), ">i2      (2, 2)                -1 to 250"),
        (
            np.array([1, np.nan, np.inf, np.nan, 2.5]),
            "float64  (5,)                  1 to 2.5, 2 missing (nan), 1 infinite",
        ),
        (np.array([np.nan, np.nan], np.float16), "float16  (2,)                 , 2 missing (nan)"),
        (np.array(["a", "b"]), "<U1      (2,)"),
        (np.array([True, False]), "bool     (2,)                  0 to 1"),
        (np.array(7.0), "float64  ()                    7 to 7"),
        (np.zeros((0, 3)), "float64  (0, 3)"),
        (np.array([1j]), "complex128 (1,)"),
    ],
)
def test_an_array_in_one_line(tmp_path: Path, array: np.ndarray, expected: str) -> None:
    np.savez(tmp_path / "data.npz", x=array)
    assert describe_array(ArrayFile(tmp_path / "data.npz"), "x") == expected


def test_a_zero_is_the_same_with_either_sign() -> None:
    zero, negative, other = digests(np.array([[0.0, 1.0], [-0.0, 1.0], [1e-30, 1.0]]))
    assert zero == negative != other


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.array([{}]))
    described = describe_array(ArrayFile(tmp_path / "data.npz"), "x")
    assert described.endswith("Python objects, which could run code when read")


def test_large_arrays_are_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "VALUES", 4)  # two rows of these
    x = np.array([[1.0, 5.0], [1.0, 6.0], [1.0, 5.0], [1.0, 5.0], [1.0, 5.0]])
    x[4, 1] = np.nan
    with pytest.raises(DataError, match=r"nan at index \[4, 1\]; in x; "):
        checks.check(x, "in x")


def test_samples_in_two_splits_are_counted_once_each() -> None:
    val = Split(np.array([[0.0, 1.0], [0.0, 1.0], [7.0, 7.0]]), np.zeros(3))  # of another type than train
    assert shared({"train": SPLIT, "val": val}) == [
        "1 different samples of val are also in train: its scores will be too good"
    ]
    assert shared({"train": SPLIT, "test": Split(np.array([[5, 5]]), np.zeros(1))}) == []


def test_groups_in_two_given_splits_are_told() -> None:
    train, val = (
        Split(np.full((4, 1), k), np.zeros(4), np.array(list(names))) for k, names in enumerate(["aabb", "bcbd"])
    )
    assert shared({"train": train, "val": val}) == [
        "1 different groups of val are also in train: its scores will be too good"
    ]


@pytest.mark.parametrize(
    ("names", "settings", "expected"),
    [
        (["x"], DataSettings(split_seed=3), "cut at random by --data.split-seed 3"),
        (["x"], DataSettings(split="ordered"), "cut in the order of the file, the last samples for the last split"),
        (["x_train", "x_val"], DataSettings(), "as the file has them"),
        (["x_train", "x_test"], DataSettings(split="ordered"), "as the file has them, but val is cut from train in"),
    ],
)
def test_where_splits_come_from(tmp_path: Path, names: list[str], settings: DataSettings, expected: str) -> None:
    np.savez(tmp_path / "data.npz", **dict.fromkeys(names, np.zeros(1)))  # type: ignore[arg-type]
    assert origin(ArrayFile(tmp_path / "data.npz"), settings, {"train": SPLIT}).startswith(expected)
