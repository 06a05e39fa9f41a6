"""Targets have the sides of their samples, and channels of their own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from {{ cookiecutter.__package }}.array_file import ArrayFile
from {{ cookiecutter.__package }}.arrays import load
from {{ cookiecutter.__package }}.cli import main
from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.data_config import DataSettings
from {{ cookiecutter.__package }}.errors import DataError
from {{ cookiecutter.__package }}.targets import Targets, arrange, strata

Y = np.arange(2 * 3 * 5 * 4).reshape(2, 3, 5, 4).astype(np.uint8)  # (N, C, H, W)


def test_channels_come_first_wherever_they_are() -> None:
    assert arrange(Y, (1, 5, 4), "in y") is Y and strata(Y) is None
    assert np.array_equal(arrange(np.moveaxis(Y, 1, -1), (1, 5, 4), "in y"), Y)
    assert np.array_equal(arrange(Y[:, 0], (1, 5, 4), "in y"), Y[:, :1])


def test_channels_that_are_as_many_as_rows_lie_where_those_of_the_samples_do(tmp_path: Path) -> None:
    x, y = np.zeros((6, 8, 8, 3)), np.broadcast_to(np.arange(8.0), (6, 8, 8, 8))
    np.savez(tmp_path / "data.npz", x=x, y=y)
    file = ArrayFile(tmp_path / "data.npz")
    settings = DataSettings(path=file.path, channels="last")
    assert load(file, settings).y[0, :, 0, 0].tolist() == [*range(8)]
    with pytest.raises(DataError, match=r"which axis of \(6, 8, 8, 8\) holds the channels; in 'y'"):
        load(file, replace(settings, channels="auto"))


def test_statistics_are_those_of_each_channel() -> None:
    learned = Targets.learn(Y, TaskSettings(), "in train")
    assert np.allclose(learned.mean, Y.mean(axis=(0, 2, 3))) and np.allclose(learned.std, Y.std(axis=(0, 2, 3)))
    assert (learned.low, learned.high, learned.sides, learned.out_size) == (0, 119, 2, 3)
    assert learned.encode(Y, "in val") is Y  # in their own type until they are on the device
    assert learned.describe() == "3 numbers at each position, from 0 to 119"
    assert learned.balance({"train": Y}) == ["train 0 to 119, mean 59.5"]


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_statistics_are_plain_numbers(dtype: type) -> None:
    learned = Targets.learn(Y.astype(dtype), TaskSettings(), "in train")
    assert {type(number) for number in (*learned.mean, *learned.std, learned.low, learned.high)} == {float}


@pytest.mark.parametrize("shape", [(2, 3, 5, 3), (2, 4, 5), (2, 1, 1, 5, 4)])
def test_targets_of_other_sides_get_one_sentence(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        DataError, match=r"the targets are of type .* and the samples have shape \(1, 5, 4\); in y; enl"
    ):
        arrange(np.zeros(shape), (1, 5, 4), "in y")


def test_one_number_for_each_sample_is_another_task() -> None:
    with pytest.raises(DataError, match=r"and shape \(\), .*; in y; to learn one number for each sample, use the"):
        arrange(np.zeros(2), (1, 5, 4), "in y")


def test_tables_have_no_positions() -> None:
    with pytest.raises(DataError, match=r"the targets are of type .*; if samples have no channels .*, say"):
        arrange(np.zeros((2, 3)), (3,), "in y")
    with pytest.raises(DataError, match=r"the targets are of type <U1 .*; turn them into numbers"):
        arrange(np.full((2, 3), "a"), (3,), "in y")


def test_a_channel_that_never_varies_is_refused() -> None:
    y = np.stack([np.arange(8.0).reshape(2, 4), np.full((2, 4), 3.0)], axis=1)
    with pytest.raises(
        DataError, match=r"channel 1 of the targets is 3\.0 everywhere; in train; leave out this channel"
    ):
        Targets.learn(y, TaskSettings(), "in train")


def test_other_channels_are_refused() -> None:
    with pytest.raises(DataError, match="the targets have 3 channels, and those of the training split 1; in val"):
        Targets([0], [1], 0, 1, 2).encode(Y, "in val")


def test_pictures_become_pairs_as_the_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    numbers = np.random.default_rng(0).integers(0, 200, (2, 5, 6, 7), np.uint8)
    for folder, pictures in zip(("before", "after"), numbers, strict=True):
        Path(folder).mkdir()
        for k, picture in enumerate(pictures):
            Image.fromarray(picture).save(f"{folder}/{k}.png")
    assert main(["import-images", "before", "a.npz"]) == main(["import-images", "after", "b.npz"]) == 0
    np.savez("mine.npz", x=np.load("a.npz")["x"], y=np.load("b.npz")["x"])
    pairs = load(ArrayFile(Path("mine.npz")), DataSettings(path=Path("mine.npz")))
    assert np.array_equal(pairs.x[:, 0], numbers[0]) and np.array_equal(pairs.y.reshape(5, 6, 7), numbers[1])
