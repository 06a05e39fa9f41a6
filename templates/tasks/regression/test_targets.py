"""Targets of any number type are standardised inside."""

import numpy as np
import pytest

from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.errors import DataError
from {{ cookiecutter.__package }}.targets import Targets, arrange, strata


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float64])
def test_targets_of_every_type_become_a_matrix(dtype: type) -> None:
    y = arrange(np.array([1, 2, 6]).astype(dtype), (4,), "in y")
    assert y.shape == (3, 1) and y.dtype == np.float64 and strata(y) is None
    learned = Targets.learn(y, TaskSettings(), "in train")
    encoded = learned.encode(y, "in train")
    assert encoded.dtype == np.float32 and encoded.mean() == pytest.approx(0, abs=1e-6)
    assert encoded.std() == pytest.approx(1) and learned.out_size == 1
    assert learned.describe() == "1 number per sample: 3 ± 2.16"


def test_numbers_that_32_bits_could_not_tell_apart_are_learned() -> None:
    """Seconds since 1970: they are standardised in 64 bits."""
    y = 1_700_000_000.0 + np.arange(4.0)[:, None]
    encoded = Targets.learn(y, TaskSettings(), "in train").encode(y, "in train")
    assert np.allclose(encoded[:, 0] * y.std(), [-1.5, -0.5, 0.5, 1.5])


@pytest.mark.parametrize("y", [np.array(["a", "b"]), np.zeros((3, 2, 2))])
def test_targets_that_are_no_numbers_get_one_sentence(y: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"the targets are of type .* and shape .*; in y; give numbers \(N,\), or"):
        arrange(y, (4,), "in y")


@pytest.mark.parametrize("value", [3, 0.1])
def test_a_target_that_never_varies_is_refused(value: float) -> None:
    """The deviation of seven times 0.1 is not exactly zero when it is computed."""
    y = np.stack([np.arange(7.0), np.full(7, value)], axis=1)
    with pytest.raises(DataError, match=f"target 1 is {value} for all samples; in train; give targets that vary"):
        Targets.learn(y, TaskSettings(), "in train")


def test_a_target_that_varies_too_little_to_be_standardised_is_refused() -> None:
    with pytest.raises(DataError, match="target 0 is 0 for all samples; in train"):
        Targets.learn(np.array([[0.0], [1e-200]]), TaskSettings(), "in train")


def test_a_fill_value_that_hides_all_others_is_refused() -> None:
    """Standardised as 32-bit floats, the others would be one number, of which R² is 0 whatever is predicted."""
    y = np.random.default_rng(0).normal(1, 1, (200, 2))
    Targets.learn(y * [1, 1e12], TaskSettings(), "in train")
    y[3, 1] = 1e12
    sentence = r"half of the values of target 1 lie between 0\.\d+ and 1\.\d+, some .*; in train; look"
    with pytest.raises(DataError, match=sentence):
        Targets.learn(y, TaskSettings(), "in train")
    mostly_zero = np.where(np.arange(200) < 160, 0.0, y[:, 0])
    Targets.learn(mostly_zero[:, None], TaskSettings(), "in train")
    mostly_zero[3] = 1e12
    with pytest.raises(DataError, match="half of the values of target 0 lie between"):
        Targets.learn(mostly_zero[:, None], TaskSettings(), "in train")
    y[3, 1] = 1e3  # an outlier like any other
    assert Targets.learn(y, TaskSettings(), "in train").out_size == 2


def test_another_number_of_targets_is_refused() -> None:
    with pytest.raises(DataError, match="there are 3 targets per sample, and 2 in the training split; in val"):
        Targets([0, 0], [1, 1]).encode(np.zeros((4, 3)), "in val")


def test_the_balance_shows_the_range_of_every_target() -> None:
    lines = Targets([0, 0], [1, 1]).balance({"train": np.array([[1.0, -2.5], [3.0, 4e4]]), "val": np.zeros((2, 2))})
    assert [line.split() for line in lines] == [
        ["target", "train", "val"], ["0", "1", "to", "3", "0", "to", "0"], ["1", "-2.5", "to", "40000", "0", "to", "0"],
    ]  # fmt: skip
