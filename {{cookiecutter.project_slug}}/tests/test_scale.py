"""What looks like fill values, or like other units, is remarked on; what may well be as it is, is not."""

from pathlib import Path

import numpy as np
import pytest
import torch

from {{ cookiecutter.__package }}.data import ArrayDataset, Normalisation, build_dataset
from {{ cookiecutter.__package }}.data_config import DataSettings
from {{ cookiecutter.__package }}.scale import doubts, other_scale

from .conftest import Run, newest

NUMBERS = np.random.default_rng(0)
TABLE = NUMBERS.normal([5, 0, -3], [2, 1, 0.1], (400, 3))
IMAGES = NUMBERS.integers(0, 256, (50, 3, 9, 9), np.uint8)
COUNTS = NUMBERS.poisson(0.1, (300, 20)) + 40 * (NUMBERS.random((300, 20)) < 0.01)
SOUND = NUMBERS.normal(0, np.repeat([8, 3000], [700, 300]), (40, 2, 1000)).astype(np.int16)
ORDINARY = [TABLE, IMAGES, COUNTS, SOUND, np.eye(300), NUMBERS.lognormal(0, 2, (5000, 2)), TABLE[:2], TABLE[:, :1]]


def dataset(x: np.ndarray) -> ArrayDataset:
    made = build_dataset(x, np.zeros(len(x), np.int64), DataSettings())
    assert isinstance(made, ArrayDataset)
    return made


def statistics(x: np.ndarray) -> Normalisation:
    return Normalisation.measure([torch.tensor(x).float()])


def said(x: np.ndarray, targets: dict[str, np.ndarray] | None = None, **others: np.ndarray) -> list[str]:
    """Return the remarks on training samples x, on targets by split, and on samples of other splits."""
    splits = {"train": dataset(x), **{name: dataset(array) for name, array in others.items()}}
    return list(doubts(splits, targets or {"train": np.zeros(len(x), np.int64)}, statistics(x)))


@pytest.mark.parametrize("share", [0.0025, 0.1, 0.45])
@pytest.mark.parametrize("fill", [-9999, -99, 1e12])
def test_fill_values_are_named(share: float, fill: float) -> None:
    filled = TABLE.copy()
    filled[: round(share * 400), 1] = fill
    (remark,) = said(filled)
    assert remark.startswith(f"feature 1 is {fill:g} in {100 * share:.2g}%, and otherwise -")
    assert remark.endswith(": leave it out or replace it, if it stands for a missing number")
    (remark,) = said(TABLE, {"train": TABLE[:, 1:2], "test": filled[:, 1:2]})
    assert remark.startswith(f"in test, target 0 is {fill:g} in ")
    images = np.repeat(filled[:, None, :], 2, axis=1)  # (N, C, L), as targets have them that are images
    (remark,) = said(TABLE, {"train": images})
    assert remark.startswith(f"in train, target 0, like 1 more, is {fill:g} in ")


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16])
def test_images_to_learn_of_any_type_are_looked_at(dtype: type) -> None:
    """Differences of small integers would overflow."""
    images = np.random.default_rng(0).integers(100, 180, (400, 1, 6)).astype(dtype)
    assert said(TABLE[:, None, :], {"train": images}) == []
    if dtype == np.int16:
        images[:9] = -32000
        (remark,) = said(TABLE[:, None, :], {"train": images})
        assert remark.startswith("in train, target 0 is -32000 in 2.2%, and otherwise 100 to 179: leave it out")


def test_a_fill_value_in_another_split_is_not_called_a_unit() -> None:
    filled = TABLE.copy()
    filled[7, 1] = -9999
    (remark,) = said(TABLE, val=filled)
    assert remark.startswith("in val, feature 1 is -9999 in 0.25%, and otherwise -")
    (remark,) = said(filled, val=TABLE)
    assert remark.startswith("feature 1 is -9999 in 0.25%, and ")
    filled[9, 2] = -9999
    assert said(filled, val=TABLE)[0].startswith("feature 1, like 1 more, is -9999 in 0.25%, and ")


def test_of_large_samples_some_positions_are_looked_at() -> None:
    images = NUMBERS.normal(0, 1, (12, 2, 512, 512)).astype(np.float32)
    images[1::2, 1, ::9] = -999
    (remark,) = said(images)
    assert remark.startswith("channel 1 is -999 in ")
    images = NUMBERS.integers(100, 200, (12, 1, 1024, 1024), np.uint8)
    images[0] = 0  # a dark one
    assert said(images, val=images) == []


@pytest.mark.parametrize("x", ORDINARY)
def test_what_only_looks_odd_is_left_alone(x: np.ndarray) -> None:
    """Also rare ones among zeros, sounds between pauses, numbers with a long tail, and a row by itself."""
    assert said(x, val=x, test=x[:1]) == []


def test_what_differs_in_a_few_of_many_samples_only_is_not_the_same_everywhere() -> None:
    """Those that are looked at are all alike."""
    x = np.zeros((100_000, 1), np.float32)
    x[1::33_333] = 1
    assert not any("everywhere" in remark for remark in said(x))


def test_nothing_but_zeros_is_nothing_to_learn_from() -> None:
    assert said(np.zeros((9, 2, 3)), val=np.ones((9, 2, 3))) == [
        "each channel is the same number everywhere, such as 0: there is nothing to learn from"
    ]


@pytest.mark.parametrize(
    ("x", "remark"),
    [
        (TABLE + np.array([0, 0, 273]), "feature 2 is 270 ± 0.0"),
        (TABLE * np.array([1, 100, 1]), "feature 1 is "),
        (TABLE / 100, "feature 0 is 0.047"),
    ],
)
def test_other_units_are_remarked_on(x: np.ndarray, remark: str) -> None:
    (found,) = said(TABLE, test=x)
    assert found.startswith(f"in test, {remark}") and found.endswith(" in training: are the units the same?")
    assert other_scale(dataset(x[:5]), statistics(TABLE)) is None  # few may well be rare
    assert said(TABLE * [1, 1, 0], test=TABLE) == []  # the constant one is not used


def test_images_from_0_to_1_are_not_those_from_0_to_255() -> None:
    found = other_scale(dataset(IMAGES[:1] / 255), statistics(IMAGES))
    assert found and found.startswith("channel 0 is 0.") and ", and 12" in found


@pytest.mark.parametrize("flags", [[], ["--data.no-normalise"]])
def test_train_and_predict_say_so(run: Run, tmp_path: Path, flags: list[str]) -> None:
    """And go on."""
    with np.load(tmp_path / "small.npz") as arrays:
        x, y = arrays["x"].astype(np.float64), arrays["y"]
    assert "missing number" not in run("train", "--epochs=1", *flags)[1]
    trained = newest(tmp_path)
    np.savez(tmp_path / "other.npz", x=x * 1000, y=y)
    for command in ("predict", "--out=out.npz"), ("evaluate",):
        code, output, errors = run(command[0], str(trained), "--data.path=other.npz", *command[1:])
        assert code == 0 and output and errors.startswith("note: in other.npz, ") and errors.count("\n") == 1
    x[::3, :, -1] = -9999
    np.savez(tmp_path / "small.npz", x=x, y=y)
    assert "\n        channel 0 is -9999 in " in run("train", "--epochs=1", *flags)[1]
