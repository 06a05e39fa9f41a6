"""What is learned: which labels a sample has. NumPy only, so that looking at data does not wait for torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .config import TaskSettings
from .errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Targets:
    """The labels, by number, and how many training samples have each."""

    counts: list[int]  # training samples that have each label
    samples: int  # of the training split
    dense = False  # a target belongs to a sample, not to each of its positions

    @classmethod
    def learn(cls, y: Array, settings: TaskSettings, where: str) -> "Targets":
        """Count the labels of the training split (N, L). Raises DataError if one of them never varies."""
        counts = y.sum(axis=0)
        same = np.flatnonzero((counts == 0) | (counts == len(y)))
        if len(same):
            what = f"label {same[0]} is {y[0, same[0]]} for all samples"
            fix = "leave out this column; --data.split, --data.split-seed and groups decide who is in train"
            raise DataError(what, where, fix)
        return cls(counts.tolist(), len(y))

    @property
    def out_size(self) -> int:
        """How many numbers the model returns per sample."""
        return len(self.counts)

    @property
    def names(self) -> list[int]:
        """What the model's outputs stand for, in their order."""
        return list(range(self.out_size))

    def encode(self, y: Array, where: str) -> Array:
        """Return labels (N, L) as they are. Raises DataError if there are more or fewer of them than were trained."""
        if y.shape[1] != self.out_size:
            what = f"there are {y.shape[1]} labels, and {self.out_size} in the training split"
            raise DataError(what, where, "give it the same columns")
        return y

    def describe(self) -> str:
        """Return what is learned, in a few words."""
        shares = [count / self.samples for count in self.counts[:10]]
        some = ", ".join(f"{100 * share:.{0 if share > 0.01 else 2}f}%" for share in shares)
        return f"{self.out_size} labels, which {some}{', ...' if self.out_size > 10 else ''} of the samples have"

    def balance(self, splits: dict[str, Array]) -> list[str]:
        """Return lines that tell how many samples of each split have each label (N, L)."""
        counts = {name: y.sum(axis=0) for name, y in splits.items()}  # (L,) each
        lines = ["label" + "".join(f"{name:>13}" for name in counts)]
        for label in range(min(20, self.out_size)):
            lines.append(f"{label:>5}" + "".join(f"{count[label]:>13,}" for count in counts.values()))
        return lines + [f"... and {self.out_size - 20} more labels ..."] * (self.out_size > 20)


def strata(y: Array) -> Array | None:
    """Return what all splits should hold in the same proportions: nothing, since a sample can have many labels."""
    return None


def arrange(y: Array, sample_shape: tuple[int, ...], where: str) -> Array:
    """Return labels 0 and 1 of any type as (N, L), uint8. Raises DataError for anything else."""
    if y.ndim != 2 or y.dtype.kind == "U":
        what = f"the labels are of type {y.dtype} and shape {y.shape}"
        raise DataError(what, where, "give a matrix (N, L): 1 where the sample has the label, else 0")
    wrong = np.argwhere((y != 0) & (y != 1))
    if len(wrong):
        sample, label = wrong[0]
        fix = "a label is 1 where the sample has it, else 0; one class per sample is the task classification"
        raise DataError(f"label {label} of sample {sample} is {y[sample, label]}", where, fix)
    return y.astype(np.uint8)
