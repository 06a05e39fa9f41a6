"""Every epoch has an order of its own, which needs no state."""

import random
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from {{ cookiecutter.__package }}.augment import Augmentation
from {{ cookiecutter.__package }}.batches import Batches, batches_at_once, permutation, repeatable
from {{ cookiecutter.__package }}.data import ArrayDataset, Normalisation, gives_batches
from {{ cookiecutter.__package }}.data_config import AugmentSettings
from {{ cookiecutter.__package }}.errors import Interrupted

CPU = torch.device("cpu")


def batches(count: int = 10, seed: int | None = 0) -> Batches:
    dataset = ArrayDataset(np.arange(count, dtype=np.float32)[:, None], np.arange(count))
    same = Normalisation(torch.zeros(1), torch.ones(1))
    return Batches(dataset, batch_size=4, normalisation=same, device=CPU, seed=seed)


def test_order_is_a_function_of_seed_and_epoch() -> None:
    orders = [permutation(100, seed=seed, epoch=epoch).tolist() for seed in range(3) for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 9
    assert all(sorted(order) == list(range(100)) for order in orders)
    torch.rand(5)  # the global generator has no say
    assert permutation(100, seed=1, epoch=2).tolist() == orders[5]


def test_what_was_interrupted_draws_the_same_numbers_again() -> None:
    def draw() -> list[float]:
        return [float(torch.rand(())), float(np.random.random()), random.random()]

    drawn = []
    for interrupted in (True, False):
        with pytest.raises(Interrupted) if interrupted else nullcontext(), repeatable():
            drawn.append(draw())
            if interrupted:
                raise Interrupted(15, "stopped", "here", "go on")
    assert drawn[0] == drawn[1] and draw() != drawn[0]


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
        def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            calls.append(len(indices))
            return super().batch(indices)

    dataset = Counting(np.arange(10.0)[:, None], np.arange(10))
    counted = Batches(dataset, batch_size=4, device=CPU)
    assert gives_batches(dataset) and len(list(counted.epoch())) == 3 and calls == [4, 4, 2]


def test_noise_is_added_to_what_is_normalised() -> None:
    settings = AugmentSettings(noise=0.5)
    dataset = ArrayDataset(np.zeros((4000, 1)), np.zeros(4000))
    varied = Batches(
        dataset, batch_size=4000, device=CPU, normalisation=Normalisation(torch.tensor([7.0]), torch.tensor([1000.0])),
        augmentation=Augmentation(settings, sides=(), dense=False, seed=0),
    )  # fmt: skip
    ((x, _),) = varied.epoch()
    assert x.std().item() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("start", [0, 7])
def test_batches_that_are_gathered_together_are_the_same(start: int) -> None:
    def epoch(count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        x = np.random.default_rng(0).integers(0, 256, (50, 1, 4, 4), np.uint8)
        statistics = Normalisation(torch.full((1, 1, 1), 100.0), torch.full((1, 1, 1), 60.0))
        settings = AugmentSettings(shift=1, noise=0.1)
        augmentation = Augmentation(settings, sides=(4, 4), dense=False, seed=0)
        gathered = Batches(
            ArrayDataset(x, np.arange(50)), batch_size=4, batches_per_gather=count, device=CPU, seed=1,
            normalisation=statistics, augmentation=augmentation,
        )  # fmt: skip
        return list(gathered.epoch(2, start=start))

    one_by_one = epoch(1)
    for several in (epoch(3), epoch(100)):
        assert len(several) == len(one_by_one) == 13 - start
        for mine, expected in zip(several, one_by_one, strict=True):
            assert torch.equal(mine[0], expected[0]) and torch.equal(mine[1], expected[1])


@pytest.mark.parametrize("start", range(7))
def test_after_a_resume_a_batch_is_aligned_as_it_would_have_been(start: int) -> None:
    """In a matrix that is aligned in another way, some libraries add up in another order."""
    dataset = ArrayDataset(np.zeros((50, 3), np.float32), np.zeros(50, np.int64))
    batches = Batches(dataset, batch_size=5, batches_per_gather=3, device=CPU, seed=1)
    whole = [x.storage_offset() for x, _ in batches.epoch()]
    assert whole[:4] == [0, 15, 30, 0]
    assert [x.storage_offset() for x, _ in batches.epoch(start=start)] == whole[start:]


class VariesTheLast(ArrayDataset):
    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = super().batch(indices)
        noise = torch.randn(int((indices > 900).sum()))
        x[indices > 900, 0] += noise
        return x, y


def test_a_batch_whose_samples_are_varied_is_gathered_by_itself() -> None:
    """Also where only some are, at the end of a file: no number may be drawn for a batch after a checkpoint."""
    arrays = np.zeros((1000, 3), np.float32), np.zeros(1000, np.int64)
    for dataset, several in ((ArrayDataset(*arrays), 4), (VariesTheLast(*arrays), 1)):
        batches = Batches(dataset, batch_size=8, batches_per_gather=4, device=CPU, seed=1)
        assert batches.batches_per_gather == several


def test_so_many_are_gathered_together_that_they_take_little_memory() -> None:
    assert batches_at_once(128, 28 * 28, most=64) == 41
    assert batches_at_once(256, 3 * 224 * 224, most=64) == 1
    assert batches_at_once(16, 1, most=8) == 8


class Squares(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """A dataset as every PyTorch tutorial writes it."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor([float(index) ** 2]), torch.tensor(index)


class Edited(ArrayDataset):
    """A student has written another `__getitem__`, with a number and a NumPy array."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:  # type: ignore[override]
        return np.array([float(index) ** 2]), index


def test_a_getitem_that_is_written_into_the_class_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = ArrayDataset(np.arange(10.0)[:, None], np.arange(10))
    assert gives_batches(dataset)
    monkeypatch.setattr(ArrayDataset, "__getitem__", Edited.__getitem__)
    assert not gives_batches(dataset)
    x, _ = next(Batches(dataset, batch_size=4, device=CPU).epoch())
    assert x[:, 0].tolist() == [0.0, 1.0, 4.0, 9.0]


@pytest.mark.parametrize("dataset", [Squares(), Edited(np.arange(10.0)[:, None], np.arange(10))])
def test_any_other_dataset_is_served_by_a_dataloader(dataset: Dataset[tuple[torch.Tensor, torch.Tensor]]) -> None:
    served = Batches(dataset, batch_size=4, device=CPU, seed=3)
    assert not gives_batches(dataset) and served.sizes == [4, 4, 2]
    state = torch.get_rng_state()
    seen = [(x, y) for x, y in served.epoch(2)]
    assert torch.equal(torch.get_rng_state(), state)  # a resumed run must not depend on it
    assert all(x.dtype == torch.float32 and torch.equal(x[:, 0], y.float().square()) for x, y in seen)
    assert torch.cat([y for _, y in seen]).tolist() == permutation(10, seed=3, epoch=2).tolist()
    rest = list(served.epoch(2, start=2))
    assert len(rest) == 1 and torch.equal(rest[0][1], seen[2][1])
    assert list(served.epoch(2, start=3)) == []
    none = torch.arange(0)  # the share of a process, in a small batch
    assert [(len(x), y.tolist()) for x, y in served.fetch([torch.tensor([3]), none])] == [(1, [3]), (0, [])]
