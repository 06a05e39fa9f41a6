"""Small pictures of samples, whatever their shape, as matplotlib draws them."""

import textwrap
import warnings
from functools import partial

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from torch import Tensor

from .array_file import Array
from .data import Pairs
from .errors import shorten, width_of

# Names may be Chinese: what matplotlib's own font does not have, is taken from whichever of these this machine has.
CHINESE = ["Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Micro Hei", "PingFang SC", "Microsoft YaHei"]
FONTS = ["DejaVu Sans", *(name for name in CHINESE if name in get_font_names())]
style = partial(rc_context, {"font.family": FONTS, "text.parse_math": False})  # a dollar starts no formula


def grid(rows: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Return a figure of rows x columns plots without ticks, each 1.6 inches wide, and the plots row by row."""
    figure = Figure(figsize=(1.6 * columns, 1.84 * rows), layout="constrained")
    axes = np.ravel(figure.subplots(rows, columns, squeeze=False)).tolist()
    for each in axes:
        each.set_axis_off()
    return figure, axes


def show(axes: Axes, sample: Tensor, title: str = "", *, like: Tensor | None = None) -> None:
    """Draw a sample (C, ...): an image, the middle of a volume, or the lines of a signal; `like` lends its range."""
    sample, like = (torch.as_tensor(tensor).cpu().float() for tensor in (sample, sample if like is None else like))
    lines = textwrap.wrap(shorten(title, 60), 26 * len(title) // width_of(title)) if title else []
    if sample.ndim > 2 and len(sample) not in (1, 3):
        sample, like = sample[:1], like.movedim(-sample.ndim, 0)[0]  # in the range of this channel
        lines.append("channel 0")
    low, high = like.min().item(), like.max().item()
    if sample.ndim == 4:  # (C, D, H, W)
        sample = sample[:, sample.shape[1] // 2]
        lines.append("middle slice")
    if sample.ndim == 2:  # (C, L)
        axes.plot(sample.T.numpy(), linewidth=0.8)
        axes.set_ylim(low, high + (low == high))
    elif len(sample) == 3:  # red, green, blue
        axes.imshow(((sample - low) / (high - low or 1)).clamp(0, 1).permute(1, 2, 0).numpy())
    else:
        axes.imshow(sample[0].numpy(), cmap="gray", vmin=low, vmax=high)
    axes.set_title("\n".join(lines), fontsize=7)


def worst_mistakes(dataset: Pairs, titles: dict[int, str]) -> dict[str, Figure]:
    """Return a figure of samples with their titles, by their positions; none if there are none, or rows of a table."""
    if not titles or dataset[next(iter(titles))][0].ndim not in (2, 3, 4):
        return {}
    figure, axes = grid(-(-len(titles) // 4), 4)
    for each, (position, title) in zip(axes, titles.items(), strict=False):
        show(each, dataset[position][0], title)
    return {"worst_mistakes": figure}


def worst(losses: Tensor, count: int = 16) -> list[int]:
    """Return the positions of the largest losses (N,) above zero, the largest first."""
    order = torch.argsort(losses, descending=True, stable=True)[:count]
    return [position for position in order.tolist() if losses[position] > 0]


def drawn(figure: Figure) -> Array:
    """Return a figure as an image (H, W, 4)."""
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings(action="ignore"):  # letters that no font of this machine has
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())
