"""What is learned: numbers at each position. NumPy only, so that looking at data does not wait for torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .config import TaskSettings
from .errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Targets:
    """Mean and standard deviation of each channel of the training targets, and the range of their values.

    Inside, targets are standardised: the task does it on the device, so that they stay in their own type until then.
    """

    mean: list[float]
    std: list[float]
    low: float
    high: float
    sides: int  # how many: 2 for images
    dense = True  # a target has the geometry of its sample

    @classmethod
    def learn(cls, y: Array, settings: TaskSettings, where: str) -> "Targets":
        """Measure the targets of the training split (N, C, ...). Raises DataError if a channel never varies."""
        axes, count = (0, *range(2, y.ndim)), y.size / y.shape[1]
        lows, highs = y.min(axis=axes), y.max(axis=axes)  # (C,)
        constant = np.flatnonzero(lows == highs)
        if len(constant):
            what = f"channel {constant[0]} of the targets is {lows[constant[0]]} everywhere"
            raise DataError(what, where, "leave out this channel; --data.split and groups decide who is in train")
        mean = y.sum(axis=axes, dtype=np.float64) / count
        centre = mean.reshape(-1, *[1] * (y.ndim - 2))
        rows = max(1, 2**22 // y[0].size)  # some at a time, so that the copies of large targets do not fill the memory
        squares = sum(np.square(y[n : n + rows] - centre).sum(axis=axes) for n in range(0, len(y), rows))
        std = np.sqrt(squares / count).astype(np.float64)
        return cls(mean.tolist(), std.tolist(), float(lows.min()), float(highs.max()), y.ndim - 2)

    @property
    def out_size(self) -> int:
        """How many numbers the model returns at each position."""
        return len(self.mean)

    @property
    def names(self) -> list[int]:
        """What the model's outputs stand for, in their order."""
        return list(range(self.out_size))

    def encode(self, y: Array, where: str) -> Array:
        """Return targets (N, C, ...) as they are. Raises DataError if there are more channels, or fewer."""
        if y.shape[1] != self.out_size:
            what = f"the targets have {y.shape[1]} channels, and those of the training split {self.out_size}"
            raise DataError(what, where, "give all splits the same channels")
        return y

    def describe(self) -> str:
        """Return what is learned, in a few words."""
        plural = "s" if self.out_size > 1 else ""
        return f"{self.out_size} number{plural} at each position, from {self.low:.6g} to {self.high:.6g}"

    def balance(self, splits: dict[str, Array]) -> list[str]:
        """Return lines that tell the range of the targets of each split (N, C, ...)."""
        return [f"{name:<5} {y.min():.6g} to {y.max():.6g}, mean {y.mean():.6g}" for name, y in splits.items()]


def strata(y: Array) -> Array | None:
    """Return what all splits should hold in the same proportions: nothing, since no two targets are alike."""
    return None


def arrange(y: Array, sample_shape: tuple[int, ...], where: str) -> Array:
    """Return targets with the sides of the samples (C, ...) as (N, C, ...), wherever their channels are.

    Raises DataError for other shapes.
    """
    sides, own = sample_shape[1:], y.shape[1:]
    if y.dtype.kind == "U" or not sides or sides not in (own, own[1:], own[:-1]):
        what = f"the targets are of type {y.dtype} and shape {own}, and the samples have shape {sample_shape}"
        fix = "enlarge the samples to the sides of their targets, or cut those; --data.channels says where channels are"
        if not own:
            fix = "to learn one number for each sample, use the template again (regression, classification)"
        if own == sample_shape:
            fix = "if samples have no channels (single signals), say --data.channels none"
        if y.dtype.kind == "U":
            fix = "turn them into numbers"
        raise DataError(what, where, fix)
    if own == sides:
        return y[:, np.newaxis]
    return y if own[1:] == sides else np.moveaxis(y, -1, 1)
