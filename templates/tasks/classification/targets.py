"""What is learned: one class per sample. NumPy only, so that looking at data does not wait for torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .config import TaskSettings
from .errors import DataError, shorten, width_of

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Targets:
    """The classes of the training split, by name and number."""

    names: list[str | int]
    counts: list[int]  # training samples of each class
    dense = False  # a target belongs to a sample, not to each of its positions

    @classmethod
    def learn(cls, y: Array, settings: TaskSettings, where: str) -> "Targets":
        """Learn the classes from the training labels (N,). Raises DataError if there is only one."""
        classes, counts = np.unique(y, return_counts=True)
        if len(classes) < 2:
            what = f"all labels are {classes.tolist()[0]!r}"
            fix = "give it samples of two classes or more; --data.split and groups decide which it gets"
            raise DataError(what, where, fix)
        return cls(classes.tolist(), counts.tolist())

    @property
    def out_size(self) -> int:
        """How many numbers the model returns per sample."""
        return len(self.names)

    def encode(self, y: Array, where: str) -> Array:
        """Return labels (N,) as class numbers (N,). Raises DataError for a class that was not trained."""
        classes = np.array(self.names)
        if (y.dtype.kind == "U") != (classes.dtype.kind == "U"):
            what = f"the labels are of type {y.dtype}, and those of the training split {classes.dtype}"
            raise DataError(what, where, "save all labels as numbers, or all as strings")
        if len(unknown := np.setdiff1d(y, classes)):
            some = ", ".join(map(repr, unknown[:3].tolist())) + (", ..." if len(unknown) > 3 else "")
            what = f"labels that are not among the {self.out_size} classes of the training split: {some}"
            fix = "train on some samples of each class (--data.split and groups decide which), or leave these out"
            raise DataError(what, where, fix)
        return np.searchsorted(classes, y)

    def describe(self) -> str:
        """Return what is learned, in a few words."""
        names = ", ".join(map(repr, self.names[:10]))
        return f"{self.out_size} classes: {names}{', ...' if self.out_size > 10 else ''}"

    def balance(self, splits: dict[str, Array]) -> list[str]:
        """Return lines that tell how many samples of each class the splits have, given as labels (N,)."""
        encoded = {name: self.encode(y, f"in the {name} split") for name, y in splits.items()}
        counts = {name: np.bincount(y, minlength=self.out_size) for name, y in encoded.items()}  # (K,) each
        by_size = np.argsort(-counts["train"], kind="stable")  # the largest class first
        shown = by_size if self.out_size <= 20 else np.concatenate([by_size[:5], by_size[-5:]])
        names = {k: shorten(repr(self.names[k]), 30) for k in shown}
        width = max(5, *map(width_of, names.values()))
        lines = [f"{'class':<{width}}" + "".join(f"{name:>13}" for name in counts)]
        names = {k: name + " " * (width - width_of(name)) for k, name in names.items()}
        lines += [names[k] + "".join(f"{count[k]:>13,}" for count in counts.values()) for k in shown]
        if self.out_size > 20:
            lines.insert(6, f"... {self.out_size - 10} classes of sizes between these ...")
        absent = {name: (count == 0).sum() for name, count in counts.items()}
        return lines + [f"classes without a sample in {name}: {count}" for name, count in absent.items() if count]


def strata(y: Array) -> Array | None:
    """Return what all splits should hold in the same proportions: the labels (N,)."""
    return y


def arrange(y: Array, sample_shape: tuple[int, ...], where: str) -> Array:
    """Return labels (N,) or (N, 1), whole numbers or strings, as (N,). Raises DataError for anything else."""
    if y.ndim > 2 or (y.ndim == 2 and y.shape[1] != 1):
        what = f"the labels have shape {y.shape}"
        raise DataError(what, where, "give one class per sample, (N,): y.argmax(1), if one-hot")
    y = y.reshape(-1)
    if y.dtype.kind == "f" or y.dtype.str[1:] == "u8":  # which NumPy compares with others by way of floats
        digits = np.finfo(y.dtype).nmant + 1 if y.dtype.kind == "f" else 63
        most = 2.0 ** min(63, digits)  # above, floats of this type, or int64, miss whole numbers
        broken = (y != np.floor(y)) | (np.abs(y.astype(np.float64)) >= most)
        if broken.any():
            first = int(broken.argmax())
            what = f"label {y[first]} at index {first} is not a whole number, or too large to be exact"
            raise DataError(what, where, "number the classes, or name them by strings (amounts: the task regression)")
        y = y.astype(np.int64)
    return y
