"""Samples of every shape can be drawn."""

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from torch.utils.data import Dataset

from {{ cookiecutter.__package }}.data import ArrayDataset
from {{ cookiecutter.__package }}.plots import drawn, grid, show, style, worst, worst_mistakes


def pixels(axes: Axes) -> np.ndarray:
    return np.asarray(axes.images[0].get_array())


@pytest.mark.parametrize("shape", [(2, 30), (1, 8, 8), (3, 8, 8), (5, 8, 8), (1, 4, 8, 8), (3, 4, 8, 8)])
def test_a_sample_is_drawn(shape: tuple[int, ...]) -> None:
    pictures = []
    for sample in (torch.arange(np.prod(shape)).view(shape) % 7, torch.zeros(shape)):
        figure, axes = grid(1, 2)
        show(axes[0], sample, "title")
        pictures.append(drawn(figure))
    assert not np.array_equal(*pictures)


def test_plots_of_others_keep_their_style() -> None:
    script = """
from matplotlib import rcParams
before = dict(rcParams)
from {{ cookiecutter.__package }}.plots import style
assert before == dict(rcParams)
with style():
    assert before != dict(rcParams)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(("channels", "middle"), [(1, 2), (3, 2 / 4)])
def test_a_volume_is_shown_by_its_middle(channels: int, middle: float) -> None:
    """Each slice holds its number, 0 to 4; colours are shares of this range."""
    _, [axes] = grid(1, 1)
    show(axes, torch.arange(5.0).view(1, 5, 1, 1).expand(channels, 5, 3, 3))
    assert (pixels(axes) == middle).all() and axes.get_title() == "middle slice"


def test_a_channel_that_stands_for_others_is_named() -> None:
    _, axes = grid(1, 3)
    for each, channels in zip(axes, (1, 2, 3), strict=True):
        show(each, torch.zeros(channels, 4, 4), "mine")
    assert [each.get_title() for each in axes] == ["mine", "mine\nchannel 0", "mine"]


@pytest.mark.parametrize("sides", [(4, 4), (3, 4, 4)])
def test_a_channel_that_stands_for_others_is_drawn_in_its_own_range(sides: tuple[int, ...]) -> None:
    """The others, a hundred times as bright, would leave it black."""
    first = torch.linspace(0, 1, math.prod(sides)).view(sides)
    sample = torch.stack([first, 100 * first])
    _, axes = grid(1, 2)
    show(axes[0], sample)
    show(axes[1], sample, like=torch.stack([-sample, sample]))  # and in that of this channel in other samples
    assert [each.images[0].get_clim() for each in axes] == [(0, 1), (-1, 1)]


def test_another_sample_may_lend_its_range() -> None:
    _, [grey, colours, lines] = grid(1, 3)
    for axes, shape in ((grey, (1, 3, 3)), (colours, (3, 3, 3)), (lines, (1, 9))):
        show(axes, torch.full(shape, 2.0), like=torch.tensor([0.0, 8.0]))
    assert grey.images[0].get_clim() == lines.get_ylim() == (0, 8)
    assert (pixels(grey) == 2).all() and (pixels(colours) == 2 / 8).all()


def test_a_title_may_hold_anything() -> None:
    with style(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that no font of this machine has
        figure, axes = grid(1, 1)
        show(axes[0], torch.zeros(1, 4, 4), "costs $5 \\frac{$ 名字 \x1b")
        drawn(figure)


def test_a_constant_sample_is_drawn() -> None:
    for shape in ((1, 30), (3, 8, 8)):
        figure, axes = grid(1, 1)
        show(axes[0], torch.zeros(shape))
        drawn(figure)


def test_rows_of_a_table_and_more_than_three_sides_have_no_picture() -> None:
    for shape in ((3, 4), (3, 1, 2, 2, 2, 2)):
        assert not worst_mistakes(ArrayDataset(np.zeros(shape), np.zeros(3)), {0: "a"})
    images = ArrayDataset(np.zeros((3, 1, 4, 4)), np.zeros(3))
    assert not worst_mistakes(images, {})
    assert len(worst_mistakes(images, {2: "a", 0: "b"})["worst_mistakes"].axes) == 4


class Rows(Dataset[tuple[np.ndarray, int]]):
    """A dataset as a user may write it, without torch."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.full((1, 4, 4), index), index


def test_samples_may_be_arrays_of_numpy_and_stand_under_their_titles() -> None:
    titles = {2: "a", 0: "b", 7: "c", 1: "d", 3: "e"}  # more than a row
    figure = worst_mistakes(Rows(), titles)["worst_mistakes"]  # type: ignore[arg-type]
    drawn(figure)
    shown = [(int(pixels(axes).max()), axes.get_title()) for axes in figure.axes if axes.images]
    assert shown == list(titles.items())


def test_the_worst_come_first_and_the_faultless_not_at_all() -> None:
    assert worst(torch.tensor([0.0, 3.0, 1.0, 3.0])) == [1, 3, 2] and worst(torch.zeros(3)) == []
    assert worst(torch.arange(50.0), count=2) == [49, 48]
    assert worst(torch.ones(5000), count=3) == [0, 1, 2]  # equal ones in their order
    assert worst(torch.tensor([-1.0, 0.5])) == [1]
