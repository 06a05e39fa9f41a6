"""What is learned: a class at each position. NumPy only, so that looking at data does not wait for torch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .config import TaskSettings
from .errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]
IGNORED = -1  # the class number of positions that do not count
MOST = 1000  # classes


class Targets:
    """The values of the training masks, and at how many positions each stands."""

    dense = True  # a target has the geometry of its sample

    def __init__(self, values: Sequence[int], counts: Sequence[int], ignore_index: int) -> None:
        self.values = list(values)
        self.counts = list(counts)  # positions of each class in the training split
        self.ignore_index = ignore_index

    @classmethod
    def learn(cls, y: Array, settings: TaskSettings, where: str) -> "Targets":
        """Learn the classes from the training masks (N, ...). Raises DataError if there are too few, or too many."""
        values, counts = np.unique(y, return_counts=True)
        seen = values != settings.ignore_index
        values, counts = values[seen], counts[seen]
        if len(values) < 2:
            what = f"all masks are {values[0] if len(values) else 'unknown'} where they are not {settings.ignore_index}"
            fix = "give masks of two values or more; another value is ignored with --task.ignore-index, -1 ignores none"
            raise DataError(what, where, fix)
        if len(values) > MOST:
            what = f"the masks have {len(values)} values, which are too many for classes"
            raise DataError(what, where, "number the classes; to learn images, render an image_to_image project")
        return cls(values.tolist(), counts.tolist(), settings.ignore_index)

    @property
    def out_size(self) -> int:
        """How many numbers the model returns at each position."""
        return len(self.values)

    @property
    def names(self) -> list[int]:
        """What the model's outputs stand for, in their order."""
        return self.values

    def encode(self, y: Array, where: str) -> Array:
        """Return masks (N, ...) as class numbers, int16. Raises DataError for a value that was not trained."""
        values = np.unique(y)
        unknown = np.setdiff1d(values, [*self.values, self.ignore_index])
        if len(unknown):
            some = ", ".join(map(str, unknown[:3])) + (", ..." if len(unknown) > 3 else "")
            what = f"the masks hold {some}, which the {self.out_size} classes of the training split do not have"
            fix = "train on some of each class (--data.split and groups decide), or ignore it with --task.ignore-index"
            raise DataError(what, where, fix)
        numbers = [IGNORED if value == self.ignore_index else self.values.index(value) for value in values.tolist()]
        return np.array(numbers, np.int16)[np.searchsorted(values, y)]

    def describe(self) -> str:
        """Return what is learned, in a few words."""
        names = ", ".join(map(str, self.values[:12]))
        return f"{self.out_size} classes at each position: {names}{', ...' if self.out_size > 12 else ''}"

    def balance(self, splits: dict[str, Array]) -> list[str]:
        """Return lines that tell how much of the masks of each split each value has."""
        lines = ["class  " + "".join(f"{name:>9}" for name in splits)]
        for value in [*self.values[:20], self.ignore_index]:
            shares = [(y == value).mean() for y in splits.values()]
            name = "ignored" if value == self.ignore_index else str(value)
            lines.append(f"{name:<7}" + "".join(f"{share:>9.1%}" for share in shares))
        return lines + [f"... and {self.out_size - 20} more classes ..."] * (self.out_size > 20)

    def state_dict(self) -> dict[str, Any]:
        """Return what predictions need besides the model."""
        return {"values": self.values, "counts": self.counts, "ignore_index": self.ignore_index}


def strata(y: Array) -> Array | None:
    """Return what every split should hold in equal shares: nothing, since a mask can have many classes."""
    return None


def arrange(y: Array, sample_shape: tuple[int, ...], where: str) -> Array:
    """Return masks with the sides of the samples (C, ...), with or without an axis of one channel, as (N, ...), int64.

    Raises DataError for other shapes, and for values that are not whole numbers.
    """
    sides = sample_shape[1:]
    if not sides or y.shape[1:] not in (sides, (1, *sides), (*sides, 1)):
        what = f"the masks have shape {y.shape[1:]}, and the samples {sample_shape}"
        raise DataError(what, where, "give each sample a mask with its sides; --data.channels says where channels are")
    if y.dtype.kind == "U" or (y.dtype.kind == "f" and (y != np.floor(y)).any()) or np.abs(y).max() >= 2**31:
        what = f"the masks, of type {y.dtype}, do not hold class numbers"
        raise DataError(what, where, "number the classes: whole numbers below 2**31")
    return y.reshape(len(y), *sides).astype(np.int64)
