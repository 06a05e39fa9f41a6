"""Samples vary as the settings say, their dense targets with them, and the same way whenever an epoch is repeated."""

import numpy as np
import pytest
import torch

from {{ cookiecutter.__package }}.augment import Augmentation
from {{ cookiecutter.__package }}.batches import Batches
from {{ cookiecutter.__package }}.data import ArrayDataset
from {{ cookiecutter.__package }}.data_config import AugmentSettings
from {{ cookiecutter.__package }}.errors import ConfigError

X = torch.arange(200.0).view(8, 1, 5, 5)


def augmentation(settings: AugmentSettings, dense: bool = False) -> Augmentation:
    return Augmentation(settings, sides=(5, 5), dense=dense, seed=3)


def vary(
    settings: AugmentSettings, x: torch.Tensor, y: torch.Tensor, *, epoch: int = 0, batch: int = 0, dense: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vary a whole batch."""
    return augmentation(settings, dense)(x, y, epoch=epoch, batch=batch, count=len(x), share=slice(None))


def test_nothing_is_varied_by_default() -> None:
    x, y = vary(AugmentSettings(), X, X)
    assert x is X and y is X


def test_half_of_the_samples_are_mirrored() -> None:
    x, _ = vary(AugmentSettings(flip="horizontal"), X.repeat(100, 1, 1, 1), X)
    mirrored = (x == X.flip(-1).repeat(100, 1, 1, 1)).flatten(1).all(1)
    same = (x == X.repeat(100, 1, 1, 1)).flatten(1).all(1)
    assert (mirrored ^ same).all() and 300 < mirrored.sum() < 500


def test_all_axes_can_be_mirrored() -> None:
    x, _ = vary(AugmentSettings(flip="all"), X[:1].repeat(400, 1, 1, 1), X)
    assert len({tuple(sample.flatten().tolist()) for sample in x}) == 4


def test_a_shift_moves_by_at_most_so_much_and_mirrors_the_edge() -> None:
    x, _ = vary(AugmentSettings(shift=2), X[:1].repeat(400, 1, 1, 1), X)
    corners = {int(sample[0, 0, 0]) for sample in x}
    assert corners == {5 * row + column for row in (0, 1, 2) for column in (0, 1, 2)}  # -1 and -2 mirror 1 and 2
    assert len({tuple(sample.flatten().tolist()) for sample in x}) == 25
    first_rows = {tuple(sample[0, 0].tolist()) for sample in x if sample[0, 2, 2] == 12 + 2}
    assert (2.0, 3.0, 4.0, 3.0, 2.0) in first_rows  # moved by two: what would lie outside is mirrored


@pytest.mark.parametrize("side", [3, 7])
def test_crops_are_varied_within_their_own_sides(side: int) -> None:
    """Someone may make them in data.py, and they may be smaller than the shift."""
    crops = torch.arange(100.0 * side * side).view(100, 1, side, side)
    x, _ = vary(AugmentSettings(flip="all", shift=4), crops, crops)
    assert x.shape == crops.shape and not torch.equal(x, crops)
    assert all(set(a.flatten().tolist()) <= set(b.flatten().tolist()) for a, b in zip(x, crops, strict=True))


@pytest.mark.parametrize("channels", [0, 2])
def test_dense_targets_keep_the_geometry_of_their_samples(channels: int) -> None:
    y = X[:, 0].to(torch.int16) if channels == 0 else X.repeat(1, channels, 1, 1)
    settings = AugmentSettings(flip="all", shift=2)
    moved, target = vary(settings, X, y, epoch=1, batch=2, dense=True)
    assert target.dtype == y.dtype and target.shape == y.shape and not torch.equal(moved, X)
    expected = moved[:, 0].to(torch.int16) if channels == 0 else moved.repeat(1, channels, 1, 1)
    assert torch.equal(target, expected)


def test_noise_is_for_samples_only() -> None:
    x, y = vary(AugmentSettings(noise=0.5), torch.zeros(200, 1, 5, 5), X, dense=True)
    assert y is X and x.std().item() == pytest.approx(0.5, rel=0.05) and abs(x.mean()) < 0.05


@pytest.mark.parametrize(
    "settings", [AugmentSettings(flip="all"), AugmentSettings(shift=2), AugmentSettings(noise=0.1)]
)
def test_variations_are_a_function_of_seed_epoch_and_batch(settings: AugmentSettings) -> None:
    state = torch.get_rng_state()
    results = [vary(settings, X, X, epoch=epoch, batch=batch)[0] for epoch in (0, 1) for batch in (0, 1)]
    assert torch.equal(torch.get_rng_state(), state)  # a resumed run must not depend on it
    assert all(not torch.equal(results[a], results[b]) for a in range(4) for b in range(a))
    assert torch.equal(vary(settings, X, X, epoch=1)[0], results[2])


def test_a_share_of_a_batch_varies_as_in_the_whole() -> None:
    settings = AugmentSettings(flip="all", shift=2, noise=0.1)
    whole, _ = vary(settings, X, X)
    for share in (slice(0, 5), slice(5, 8), slice(0, 0)):
        part, _ = augmentation(settings)(X[share], X[share], epoch=0, batch=0, count=len(X), share=share)
        assert torch.equal(part, whole[share])


def test_an_epoch_that_is_continued_varies_as_if_it_had_not_been_left() -> None:
    dataset = ArrayDataset(X.numpy(), np.arange(8))
    settings = AugmentSettings(flip="all", shift=1, noise=0.1)
    batches = Batches(dataset, batch_size=3, device=torch.device("cpu"), seed=0, augmentation=augmentation(settings))
    whole, rest = (list(batches.epoch(4, start=start)) for start in (0, 1))
    assert len(rest) == 2 and all(torch.equal(a, b) for (a, _), (b, _) in zip(whole[1:], rest, strict=True))


@pytest.mark.parametrize("settings", [AugmentSettings(flip="all"), AugmentSettings(shift=1)])
def test_tables_have_no_sides_to_move(settings: AugmentSettings) -> None:
    with pytest.raises(ConfigError, match="rows of a table have no sides to flip or shift; in --augment; "):
        Augmentation(settings, sides=(), dense=False, seed=0)


def test_a_shift_by_a_whole_side_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--augment.shift is 3, and samples have sides \(8, 3\); in --augment; "):
        Augmentation(AugmentSettings(shift=3), sides=(8, 3), dense=False, seed=0)


def test_tables_take_noise() -> None:
    tables = Augmentation(AugmentSettings(noise=0.1), sides=(), dense=False, seed=0)
    varied, _ = tables(torch.zeros(3, 4), torch.zeros(3), epoch=0, batch=0, count=3, share=slice(None))
    assert not torch.equal(varied, torch.zeros(3, 4))
