"""Arrays become tensors of every type (lesson 1 of the notes)."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, random_split

from {{ cookiecutter.__package }}.checks import check
from {{ cookiecutter.__package }}.data import ArrayDataset, Normalisation

DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_in_both_byte_orders(dtype: str, order: str) -> None:
    values = np.array([[0, 1], [1, 0], [1, 1]])
    x = check(values.astype(np.dtype(dtype).newbyteorder(order)), "in x")
    dataset = ArrayDataset(x, np.arange(3))
    samples, targets = dataset.batch(torch.tensor([2, 0]))
    assert samples.dtype == torch.float32 and targets.dtype == torch.int64
    assert samples.tolist() == [[1.0, 1.0], [0.0, 1.0]] and targets.tolist() == [2, 0]
    sample, target = dataset[1]
    assert sample.tolist() == [1.0, 0.0] and target == 1 and len(dataset) == 3


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_extremes_of_every_dtype_come_through(dtype: str) -> None:
    low, high = {"?": (0, 1), "f2": (-65504.0, 65504.0)}.get(dtype, (-1e30, 1e30))
    if dtype[0] in "iu":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    samples, _ = ArrayDataset(np.array([[low], [high]], dtype), np.arange(2)).batch(torch.arange(2))
    assert samples.flatten().tolist() == [float(np.float32(low)), float(np.float32(high))]


def test_bytes_stay_bytes_until_they_are_asked_for() -> None:
    assert ArrayDataset(np.zeros((2, 3), np.uint8), np.zeros(2)).x.dtype == torch.uint8


def test_a_loader_of_one_s_own_gets_samples_from_it() -> None:
    dataset = ArrayDataset(np.arange(10.0)[:, None], np.arange(10))
    part, _ = random_split(dataset, [5, 5])
    for each in (dataset, part):
        for (x, y), size in zip(DataLoader(each, batch_size=4), [4, 4, 2] if each is dataset else [4, 1], strict=True):
            assert x.shape == (size, 1) and x[:, 0].tolist() == y.tolist()


def test_one_sample_is_the_same_alone_as_in_a_batch() -> None:
    class Doubled(ArrayDataset):
        def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x, y = super().batch(indices)
            return 2 * x, y

    assert Doubled(np.array([[1.0], [2.0]]), np.arange(2))[1][0].tolist() == [4.0]


def test_normalisation_gives_each_channel_mean_0_and_deviation_1() -> None:
    x = torch.randn(5000, 2, 3, 3) * torch.tensor([2.0, 5.0]).view(2, 1, 1) + 100
    normal = Normalisation.measure(x.split(999)).apply(x)
    assert torch.allclose(normal.mean((0, 2, 3)), torch.zeros(2), atol=1e-4)
    assert torch.allclose(normal.std((0, 2, 3)), torch.ones(2), atol=1e-3)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_statistics_do_not_depend_on_the_batches(size: int) -> None:
    x = torch.randn(1000, 3) * 1e-3 + 1e4
    measured = Normalisation.measure(x.split(size))
    assert torch.allclose(measured.mean, x.double().mean(0).float(), rtol=1e-7)
    assert torch.allclose(measured.std, x.double().std(0, correction=0).float(), rtol=1e-6)


def test_a_constant_feature_is_not_divided_by_zero() -> None:
    x = torch.tensor([[1.0, 0.1], [3.0, 0.1]])
    measured = Normalisation.measure(x.split(1))
    assert measured.apply(x).tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert measured.apply(torch.tensor([2.0, 2.1])).tolist() == [0.0, 0.0]  # nothing was learned of how it varies
    tiny = torch.tensor([[0.0], [1e-45], *[[0.0]] * 8])  # deviates by less than a 32-bit float can tell from 0
    assert Normalisation.measure([tiny]).apply(tiny).isfinite().all()
