"""What is learned: a class at each position. NumPy only, so that looking at data does not wait for torch."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .config import TaskSettings
from .errors import DataError, note

Array = np.ndarray[Any, np.dtype[Any]]
IGNORED = -1  # the class number of positions that do not count
MOST = 1000  # classes
SHADES = 64  # classes: more of them may be none


@dataclass(frozen=True)
class Targets:
    """The values of the training masks and, to balance them, how much of the masks each makes up."""

    names: list[int]
    amounts: list[float]  # of each class in the training split, as `measure` has it; none if nobody asks
    ignore_index: int
    ignored: float  # share of the positions in the training split
    dense = True  # a target has the geometry of its sample

    @classmethod
    def learn(cls, y: Array, settings: TaskSettings, where: str) -> "Targets":
        """Learn the classes from the training masks (N, ...). Raises DataError if there are too few, or too many."""
        found: Counter[int] = Counter()
        for part in parts(y):
            values, counts = np.unique(part, return_counts=True)
            found.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        ignored = found.pop(settings.ignore_index, 0) / y.size
        if len(found) < 2:
            seen = " or ".join(map(str, [*found, *([settings.ignore_index] if ignored else [])]))
            ignored_too = f"; {settings.ignore_index} is ignored: if it is a class, say --task.ignore-index -1"
            fix = f"give masks of two values or more{ignored_too if ignored else ''}"
            raise DataError(f"all masks are {seen}", where, fix)
        if len(found) > MOST:
            what = f"the masks have {len(found)} values, which are too many for classes"
            raise DataError(what, where, "number the classes; images are learned by the task image_to_image")
        targets = cls(sorted(found), [], settings.ignore_index, ignored)
        balanced = settings.class_weights == "balanced"
        return replace(targets, amounts=targets.measure(y).tolist()) if balanced else targets

    def measure(self, y: Array) -> Array:
        """Return how much of masks (N, ...) is of each class (K,); what is known of a mask makes up 1."""
        amounts = np.zeros(self.out_size)
        for part in parts(y):
            flat = part.reshape(len(part), -1)
            row, column = np.nonzero(flat != self.ignore_index)
            place = row * self.out_size + np.searchsorted(self.names, flat[row, column])
            counts = np.bincount(place, minlength=len(part) * self.out_size).reshape(len(part), -1)
            amounts += (counts / counts.sum(1, keepdims=True).clip(min=1)).sum(0)
        return amounts

    @property
    def out_size(self) -> int:
        """How many numbers the model returns at each position."""
        return len(self.names)

    def encode(self, y: Array, where: str) -> Array:
        """Return masks (N, ...) as class numbers in one or two bytes. Raises DataError for values not trained on."""
        encoded, blank, ignored = np.empty(y.shape, np.int8 if self.out_size < 128 else np.int16), 0, 0
        for part, numbers in zip(parts(y), parts(encoded), strict=True):
            known = np.searchsorted(self.names, part).clip(max=self.out_size - 1)
            numbers[:] = np.where(part == self.ignore_index, IGNORED, known)
            unknown = np.unique(part[(part != self.ignore_index) & (np.array(self.names)[known] != part)])
            if len(unknown):
                some = ", ".join(map(str, unknown[:3].tolist())) + (", ..." if len(unknown) > 3 else "")
                what = f"the masks hold {some}, which the {self.out_size} classes of the training split do not have"
                fix = f"number them as it does ({', '.join(map(str, self.names[:9]))}), or give it some of each"
                fix += " (another --data.split-seed may; groups and --data.split decide, too)"
                raise DataError(what, where, fix)
            blank += int((numbers == IGNORED).reshape(len(part), -1).all(1).sum())
            ignored += int((numbers == IGNORED).sum())
        if blank:  # which would count as learned without a mistake
            what = f"{blank:,} of the {len(y):,} masks are {self.ignore_index} everywhere, which is ignored"
            raise DataError(what, where, "leave such samples out; --task.ignore-index says what is ignored")
        if ignored and not self.ignored:
            fix = "if it is a class, number it as the training split does"
            note(f"{where}, {self.ignore_index} makes up {ignored / y.size:.1%} of the masks, and is ignored: {fix}")
        return encoded

    def describe(self) -> str:
        """Return what is learned, in a few words."""
        names = ", ".join(map(str, self.names[:12]))
        ignored = f"; {self.ignore_index} is ignored ({self.ignored:.1%}; --task.ignore-index)" if self.ignored else ""
        hint = f"; if {self.names[0]} is no class, say --task.ignore-index {self.names[0]}" if self.names[0] < 0 else ""
        if self.out_size > SHADES:
            hint += "; if these are shades of fewer, by JPEG or by resizing, round the masks first"
        names += ", ..." if self.out_size > 12 else ""
        return f"{self.out_size} classes at each position: {names}{ignored}{hint}"

    def balance(self, splits: dict[str, Array]) -> list[str]:
        """Return lines that tell how much of the masks of each split each value has."""
        lines = ["class  " + "".join(f"{name:>9}" for name in splits)]
        for value in [*self.names[:20], self.ignore_index]:
            shares = [sum((part == value).sum() for part in parts(y)) / y.size for y in splits.values()]
            name = "ignored" if value == self.ignore_index else str(value)
            lines.append(f"{name:<7}" + "".join(f"{100 * share:>8.3g}%" for share in shares))
        return lines + [f"... and {self.out_size - 20} more classes ..."] * (self.out_size > 20)


def strata(y: Array) -> Array | None:
    """Return what all splits should hold in the same proportions: nothing, since a mask can have many classes."""
    return None


def arrange(y: Array, sample_shape: tuple[int, ...], where: str) -> Array:
    """Return masks with the sides of the samples (C, ...), with or without an axis of one channel, as whole (N, ...).

    Raises DataError for other shapes, and for values that are not whole numbers.
    """
    sides = sample_shape[1:]
    if not sides or y.shape[1:] not in (sides, (1, *sides), (*sides, 1)):
        what = f"the masks have shape {y.shape[1:]}, and the samples {sample_shape}"
        fix = "give each sample a mask with its sides (one-hot: y.argmax over the axis of classes; colours: as numbers)"
        if y.shape[1:] == sample_shape:
            fix += "; if samples have no channels (volumes, single signals), say --data.channels none"
        raise DataError(what, where, fix)
    whole = y.dtype.kind in "biuf" and all((part == np.floor(part)).all() for part in parts(y))
    if not whole or float(y.max()) >= 2**31 or float(y.min()) < -(2**31):
        what = f"the masks, of type {y.dtype}, do not hold class numbers"
        raise DataError(what, where, "number the classes: whole numbers below 2**31 (y.argmax(1), if one-hot)")
    y = y.reshape(len(y), *sides)
    return y if y.dtype.kind in "iu" and y.dtype.itemsize < 8 else y.astype(np.int32)


def parts(y: Array) -> Iterator[Array]:
    """Yield masks (N, ...) some at a time, so that the copies of large ones do not fill the memory."""
    rows = max(1, 2**22 // y[0].size)
    return (y[start : start + rows] for start in range(0, len(y), rows))
