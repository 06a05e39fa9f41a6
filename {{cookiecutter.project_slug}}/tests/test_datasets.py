"""A file becomes datasets that share what the training split tells."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, Subset

from {{ cookiecutter.__package }} import datasets
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.data import ArrayDataset, Pairs
from {{ cookiecutter.__package }}.data_config import DataSettings
from {{ cookiecutter.__package }}.datasets import Datasets, choose_batch_size
from {{ cookiecutter.__package }}.errors import RefusedError
from {{ cookiecutter.__package }}.experiment import Experiment
from {{ cookiecutter.__package }}.summary import summarize


def state_of(data: Datasets) -> dict[str, Any]:
    """Return what a checkpoint tells of the data."""
    facts = {"data_sha256": data.sha256, "resident": data.resident, "sizes": data.sizes, "batch_size": data.batch_size}
    return {**facts, "statistics": vars(data.statistics)}


@pytest.mark.parametrize(("count", "size"), [(1, 16), (511, 16), (512, 32), (1023, 32), (1024, 64), (10**6, 64)])
def test_few_samples_get_small_batches(count: int, size: int) -> None:
    assert choose_batch_size(count) == size


def test_statistics_are_those_of_the_training_split(settings: Settings) -> None:
    data = Datasets(settings, trial=False, checkpoint=None)
    x = torch.stack([data.splits["train"][k][0] for k in range(126)])
    assert data.normalisation and torch.allclose(data.normalisation.mean.flatten(), x.mean((0, 2, 3)), rtol=1e-5)
    raw = Datasets(replace(settings, data=replace(settings.data, normalise=False)), trial=False, checkpoint=None)
    assert raw.normalisation is None and torch.equal(raw.statistics.mean, data.statistics.mean)
    assert data.sizes == {"train": 126, "val": 27, "test": 27} and data.batch_size == data.largest_batch == 64


def test_statistics_are_those_of_samples_that_are_not_varied(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Varied(ArrayDataset):
        def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x, y = super().batch(indices)
            return x + 100 if self.training else x, y

    plain = Datasets(settings, trial=False, checkpoint=None).normalisation
    monkeypatch.setattr(datasets, "build_dataset", lambda x, y, settings: Varied(x, y))
    varied = Datasets(settings, trial=False, checkpoint=None)
    assert plain and varied.normalisation and torch.equal(varied.normalisation.mean, plain.mean)
    assert varied.splits["train"].training and not varied.splits["val"].training  # type: ignore[attr-defined]


def test_a_resumed_run_reads_from_where_it_began_to_read(settings: Settings, tmp_path: Path) -> None:
    """Whatever is free now: the order of an epoch depends on it."""
    with np.load(settings.data.path) as arrays:
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)
    settings = replace(settings, data=replace(settings.data, path=tmp_path, normalise=False))
    began = Datasets(settings, trial=False, checkpoint=None)
    for resident in (True, False):
        checkpoint = {**state_of(began), "resident": resident}
        assert Datasets(settings, trial=False, checkpoint=checkpoint).resident == resident


def test_no_batch_is_larger_than_the_training_split(settings: Settings) -> None:
    """Nor is memory asked for more."""
    for trial in (False, True):
        data = Datasets(replace(settings, batch_size=2**31 - 1), trial=trial, checkpoint=None)
        assert data.largest_batch == data.sizes["train"] == 126


def test_one_batch_is_what_is_kept_of_every_split(settings: Settings) -> None:
    data = Datasets(replace(settings, batch_size=20), trial=True, checkpoint=None)
    assert data.sizes == {"train": 20, "val": 20, "test": 20} and len(data.splits["val"]) == 20  # type: ignore[arg-type]


def test_other_data_than_that_of_the_checkpoint_is_refused(settings: Settings, tmp_path: Path, small: Path) -> None:
    with np.load(small) as arrays:
        np.savez(tmp_path / "other.npz", x=arrays["x"][1:], y=arrays["y"][1:])
    before = Datasets(settings, trial=False, checkpoint=None)
    other = replace(settings, data=DataSettings(path=tmp_path / "other.npz"))
    with pytest.raises(RefusedError, match="the data has changed since the run began"):
        Datasets(other, trial=False, checkpoint={"data_sha256": before.sha256})


def test_another_number_of_samples_than_when_the_run_began_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Datasets(settings, trial=False, checkpoint=None)
    shorter = lambda x, y, settings: ArrayDataset(x[1:], y[1:])  # noqa: E731  # as if data.py were edited
    monkeypatch.setattr(datasets, "build_dataset", shorter)
    with pytest.raises(RefusedError, match=r"the splits have other sizes, .* 125, .* when the run began, .* 126"):
        Datasets(settings, trial=False, checkpoint=state_of(data))


def test_batches_stay_as_large_as_when_the_run_began(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Datasets(settings, trial=False, checkpoint=None)
    monkeypatch.setattr(datasets, "choose_batch_size", lambda count: 16)  # as if datasets.py were edited
    assert Datasets(settings, trial=False, checkpoint=state_of(data)).batch_size == data.batch_size == 64


class Drawn(ArrayDataset):
    """Noise from a generator of its own."""

    def __init__(self, *arrays: Any) -> None:
        super().__init__(*arrays)
        self.numbers = np.random.default_rng(0)

    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = super().batch(indices)
        return x + float(self.numbers.normal()) if self.training else x, y


class DrawnOneByOne(Drawn):
    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.x[index] + float(self.numbers.normal()), self.y[index]  # type: ignore[return-value]


class DrawnTargets(Drawn):
    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = ArrayDataset.batch(self, indices)
        return x, y + self.training * self.numbers.integers(1, 10**9)


class DrawnForTheLast(Drawn):
    """As where a file is sorted, and a rare class is varied."""

    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = ArrayDataset.batch(self, indices)
        late = (indices > 0.8 * len(self)).reshape(-1, *[1] * (x.ndim - 1))
        return x + late * float(self.training and self.numbers.normal()), y


class DrawnByTorch(ArrayDataset):
    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = super().batch(indices)
        return x + torch.randn(()), y


@pytest.mark.parametrize(
    ("kind", "exact"),
    [
        (ArrayDataset, True),
        (DrawnByTorch, True),
        (Drawn, False),
        (DrawnOneByOne, False),
        (DrawnTargets, False),
        (DrawnForTheLast, False),
    ],
)
def test_a_generator_of_ones_own_is_no_part_of_a_checkpoint(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: type[ArrayDataset], exact: bool
) -> None:
    """So that a resumed run draws other numbers: its capsule and its log say so."""
    monkeypatch.setattr(datasets, "build_dataset", lambda x, y, settings: kind(x, y))
    before = torch.get_rng_state()
    assert Datasets(settings, trial=False, checkpoint=None).exact == exact
    assert torch.equal(torch.get_rng_state(), before) or kind is DrawnByTorch  # which measures with noise
    experiment = Experiment(settings)
    assert experiment.exact == exact
    assert exact == (not any("drawn by a generator of their own" in line for line in summarize(experiment)))


class Named(Subset[tuple[torch.Tensor, torch.Tensor]]):
    """Has something else by the name under which a ConcatDataset keeps its parts."""

    datasets = ("mine", "theirs")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda made: Subset(made, range(len(made))),
        lambda made: Subset(Subset(made, range(len(made))), range(len(made))),
        lambda made: ConcatDataset([Subset(made, range(len(made))), made]),
        lambda made: Named(made, range(len(made))),
    ],
)
def test_an_augmentation_is_at_work_within_other_datasets(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, wrap: Callable[[ArrayDataset], Pairs]
) -> None:
    made: list[ArrayDataset] = []

    def build(x: np.ndarray, y: np.ndarray, settings: DataSettings) -> Pairs:
        made.append(ArrayDataset(x, y))
        return wrap(made[-1])

    monkeypatch.setattr(datasets, "build_dataset", build)
    Datasets(settings, trial=False, checkpoint=None)
    assert [each.training for each in made] == [True, False, False]  # train, val, test
