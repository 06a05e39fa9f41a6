"""Every epoch has an order of its own, which needs no state."""

import numpy as np
import torch

from {{ cookiecutter.__package }}.batches import Batches, permutation
from {{ cookiecutter.__package }}.data import ArrayDataset, Normalisation

CPU = torch.device("cpu")


def batches(count: int = 10, seed: int | None = 0) -> Batches:
    dataset = ArrayDataset(np.arange(count, dtype=np.float32)[:, None], torch.arange(count))
    same = Normalisation(torch.zeros(1), torch.ones(1))
    return Batches(dataset, batch_size=4, normalisation=same, device=CPU, seed=seed)


def test_order_is_a_function_of_seed_and_epoch() -> None:
    orders = [permutation(100, seed=seed, epoch=epoch).tolist() for seed in range(3) for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 9
    assert all(sorted(order) == list(range(100)) for order in orders)
    torch.rand(5)  # the global generator has no say
    assert permutation(100, seed=1, epoch=2).tolist() == orders[5]


def test_every_sample_comes_once_and_the_last_batch_is_smaller() -> None:
    sizes, seen = [], []
    for x, y in batches().epoch(3):
        assert x[:, 0].tolist() == y.tolist()
        sizes.append(len(x))
        seen += y.tolist()
    assert sizes == batches().sizes == [4, 4, 2] and len(batches()) == 3
    assert sorted(seen) == list(range(10)) and seen != sorted(seen)


def test_an_epoch_continues_where_it_was_left() -> None:
    whole = [y.tolist() for _, y in batches().epoch(5)]
    rest = [y.tolist() for _, y in batches().epoch(5, start=2)]
    assert rest == whole[2:]
    assert list(batches().epoch(5, start=3)) == []


def test_without_a_seed_samples_come_as_they_lie() -> None:
    assert [y.tolist() for _, y in batches(seed=None).epoch()] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_batch_is_one_call_of_the_dataset() -> None:
    calls = []

    class Counting(ArrayDataset):
        def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
            raise AssertionError("a call per sample")

        def __getitems__(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            calls.append(len(indices))
            return super().__getitems__(indices)

    counted = batches()
    counted.dataset = Counting(counted.dataset.x.numpy(), counted.dataset.y)
    assert len(list(counted.epoch())) == 3 and calls == [4, 4, 2]
