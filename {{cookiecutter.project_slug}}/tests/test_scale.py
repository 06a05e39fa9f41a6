"""What looks like fill values, or like other units, is remarked on; what may well be as it is, is not."""

from pathlib import Path

import numpy as np
import pytest
import torch

from {{ cookiecutter.__package }}.data import ArrayDataset, Normalisation, build_dataset
from {{ cookiecutter.__package }}.scale import outliers, shift

from .conftest import Run, newest

NUMBERS = np.random.default_rng(0)
TABLE = NUMBERS.normal([5, 0, -3], [2, 1, 0.1], (400, 3))
IMAGES = NUMBERS.integers(0, 256, (50, 3, 9, 9), np.uint8)


def dataset(x: np.ndarray) -> ArrayDataset:
    made = build_dataset(x, np.zeros(len(x), np.int64))
    assert isinstance(made, ArrayDataset)
    return made


def statistics(x: np.ndarray) -> Normalisation:
    return Normalisation.measure([torch.tensor(x).float()])


def test_a_few_fill_values_hide_the_others() -> None:
    filled = TABLE.copy()
    filled[::80, 1] = -9999
    doubt = outliers(dataset(filled), statistics(filled))
    assert doubt and doubt.startswith("half of feature 1 lies between -0.") and "its deviation is 1.11e+03: " in doubt
    pictures = IMAGES.astype(np.float32)
    pictures[:, 2, 0, 0] = 1e6
    doubt = outliers(dataset(pictures), statistics(pictures))
    assert doubt and doubt.startswith("half of channel 2 lies between ")


def test_nothing_but_zeros_is_nothing_to_learn_from() -> None:
    zeros = np.zeros((9, 2, 3))
    doubt = outliers(dataset(zeros), statistics(zeros))
    assert doubt == "each channel is the same number everywhere, such as 0: there is nothing to learn from"


@pytest.mark.parametrize("x", [TABLE, IMAGES, np.eye(300), NUMBERS.exponential(1, (5000, 2)), TABLE[:2], TABLE[:, :1]])
def test_what_only_looks_odd_is_left_alone(x: np.ndarray) -> None:
    """Also numbers of which nearly all are the same, and such as have a long tail."""
    assert outliers(dataset(x), statistics(x)) is None and shift(dataset(x), statistics(x)) is None


@pytest.mark.parametrize(
    ("x", "doubt"),
    [
        (TABLE + np.array([0, 0, 273]), "feature 2 is 270 ± 0.0"),
        (TABLE * np.array([1, 100, 1]), "feature 1 is "),
        (TABLE[:1] + np.array([100, 0, 0]), "feature 0 is 10"),
        (TABLE / 100, "feature 0 is 0.047"),
    ],
)
def test_other_units_are_remarked_on(x: np.ndarray, doubt: str) -> None:
    said = shift(dataset(x), statistics(TABLE))
    assert said and said.startswith(doubt) and said.endswith(" in training: are the units the same?")
    assert shift(dataset(TABLE[:5]), statistics(TABLE)) is None  # few are near each other


def test_images_from_0_to_1_are_not_those_from_0_to_255() -> None:
    said = shift(dataset(IMAGES / 255), statistics(IMAGES))
    assert said and said.startswith("channel 0 is 0.5") and ", and was 12" in said
    assert shift(dataset(IMAGES[:1, :, :2, :2]), statistics(IMAGES)) is None


def test_train_and_predict_say_so(run: Run, tmp_path: Path) -> None:
    """And go on."""
    with np.load(tmp_path / "small.npz") as arrays:
        x, y = arrays["x"].astype(np.float64), arrays["y"]
    assert "half of " not in run("train", "--epochs=1")[1]
    trained = newest(tmp_path)
    np.savez(tmp_path / "other.npz", x=x * 1000, y=y)
    for command in ("predict", "--out=out.npz"), ("evaluate",):
        code, output, said = run(command[0], str(trained), "--data.path=other.npz", *command[1:])
        assert code == 0 and output and said.startswith("note: in other.npz, ") and said.count("\n") == 1
    x[:, ..., 0] += np.where(np.arange(x.shape[-2] * len(x)).reshape(len(x), 1, -1) % 7, 0, 1e9)
    np.savez(tmp_path / "small.npz", x=x, y=y)
    assert "\n        half of channel 0 lies between " in run("train", "--epochs=1", "--device=cpu")[1]
