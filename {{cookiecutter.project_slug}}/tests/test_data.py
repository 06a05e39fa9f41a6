"""Arrays become tensors of every type (lesson 1 of the notes)."""

import numpy as np
import pytest
import torch

from {{ cookiecutter.__package }}.arrays import check
from {{ cookiecutter.__package }}.data import ArrayDataset, Normalisation
from {{ cookiecutter.__package }}.errors import DataError

DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_in_both_byte_orders(dtype: str, order: str) -> None:
    values = np.array([[0, 1], [1, 0], [1, 1]])
    x = check(values.astype(np.dtype(dtype).newbyteorder(order)), "in x")
    dataset = ArrayDataset(x, torch.arange(3))
    samples, targets = dataset.__getitems__(torch.tensor([2, 0]))
    assert samples.dtype == torch.float32 and targets.dtype == torch.int64
    assert samples.tolist() == [[1.0, 1.0], [0.0, 1.0]] and targets.tolist() == [2, 0]
    sample, target = dataset[1]
    assert sample.tolist() == [1.0, 0.0] and target == 1 and len(dataset) == 3


def test_bytes_stay_bytes_until_they_are_asked_for() -> None:
    assert ArrayDataset(np.zeros((2, 3), np.uint8), torch.zeros(2)).x.dtype == torch.uint8


def test_normalisation_gives_each_channel_mean_0_and_deviation_1() -> None:
    x = torch.randn(5000, 2, 3, 3) * torch.tensor([2.0, 5.0]).view(2, 1, 1) + 100
    normal = Normalisation.measure(x).apply(x)
    assert torch.allclose(normal.mean((0, 2, 3)), torch.zeros(2), atol=1e-4)
    assert torch.allclose(normal.std((0, 2, 3)), torch.ones(2), atol=1e-3)


def test_a_constant_feature_is_not_divided_by_zero() -> None:
    x = torch.tensor([[1.0, 0.1], [3.0, 0.1]], dtype=torch.float64)
    assert Normalisation.measure(x).apply(x.float()).tolist() == [[-1.0, 0.0], [1.0, 0.0]]


def test_a_large_constant_is_no_reason_to_refuse() -> None:
    x = torch.tensor([[1.0, 1.7e9], [3.0, 1.7e9]], dtype=torch.float64)
    assert Normalisation.measure(x).apply(x.float()).tolist() == [[-1.0, 0.0], [1.0, 0.0]]


def test_values_that_32_bit_floats_cannot_tell_apart_are_refused() -> None:
    """Seconds since 1970, for example, would be rounded to the same number."""
    x = torch.tensor([[1.0, 1.7e9], [2.0, 1.7e9 + 3]], dtype=torch.float64)
    with pytest.raises(DataError, match=r"channel 1 lies within 1.5 of 1700000001.5; .*; subtract its mean"):
        Normalisation.measure(x)
