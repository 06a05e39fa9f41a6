"""What is learned: one or several numbers per sample. NumPy only, so that looking at data does not wait for torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .config import TaskSettings
from .errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Targets:
    """Mean and standard deviation of each target in the training split: inside, targets are standardised."""

    mean: list[float]
    std: list[float]
    dense = False  # a target belongs to a sample, not to each of its positions

    @classmethod
    def learn(cls, y: Array, settings: TaskSettings, where: str) -> "Targets":
        """Measure the targets of the training split (N, T). Raises DataError if one of them never varies."""
        constant = np.flatnonzero((y.min(axis=0) == y.max(axis=0)) | (y.std(axis=0) < 1e-100))
        if len(constant):
            what = f"target {constant[0]} is {y[0, constant[0]]:g} for all samples"
            raise DataError(what, where, "give targets that vary; --data.split and groups decide who is in train")
        mean, std = y.mean(axis=0), y.std(axis=0)
        low, high = np.transpose([np.quantile(np.unique(column), (0.25, 0.75)) for column in y.T])
        lost = np.flatnonzero(high - low < 1e-6 * std)
        if len(lost):
            at = lost[0]
            there = f"between {low[at]:g} and {high[at]:g}"
            what = f"half of the values of target {at} lie {there}, some as far off as {std[at]:.3g}"
            fix = "look for fill values, such as 1e12, and leave them out: 32-bit floats cannot tell the others apart"
            raise DataError(what, where, fix)
        return cls(mean.tolist(), std.tolist())

    @property
    def out_size(self) -> int:
        """How many numbers the model returns per sample."""
        return len(self.mean)

    @property
    def names(self) -> list[int]:
        """What the model's outputs stand for, in their order."""
        return list(range(self.out_size))

    def encode(self, y: Array, where: str) -> Array:
        """Return standardised targets (N, T), float32. Raises DataError if there are others than were trained."""
        if y.shape[1] != self.out_size:
            what = f"there are {y.shape[1]} targets per sample, and {self.out_size} in the training split"
            raise DataError(what, where, "give it the same columns")
        with np.errstate(over="ignore"):  # a loss that is infinite is told
            return ((y - np.array(self.mean)) / np.array(self.std)).astype(np.float32)

    def describe(self) -> str:
        """Return what is learned, in a few words."""
        some = ", ".join(f"{mean:.4g} ± {std:.3g}" for mean, std in zip(self.mean[:5], self.std[:5], strict=True))
        plural = "s" if self.out_size > 1 else ""
        return f"{self.out_size} number{plural} per sample: {some}{', ...' if self.out_size > 5 else ''}"

    def balance(self, splits: dict[str, Array]) -> list[str]:
        """Return lines that tell the range of each target in the splits, (N, T)."""
        lines = ["target" + "".join(f"  {name:>24}" for name in splits)]
        for target in range(min(20, self.out_size)):
            row = f"{target:>6}"
            for y in splits.values():
                row += f"  {f'{y[:, target].min():.7g} to {y[:, target].max():.7g}':>24}"
            lines.append(row)
        return lines + [f"... and {self.out_size - 20} more targets ..."] * (self.out_size > 20)


def strata(y: Array) -> Array | None:
    """Return what all splits should hold in the same proportions: nothing, since every target may be another number."""
    return None


def arrange(y: Array, sample_shape: tuple[int, ...], where: str) -> Array:
    """Return targets (N,) or (N, T) of any number type as (N, T), float64. Raises DataError for anything else."""
    if y.ndim > 2 or y.dtype.kind == "U":
        what = f"the targets are of type {y.dtype} and shape {y.shape}"
        raise DataError(what, where, "give numbers (N,), or (N, T) for several per sample")
    return y.reshape(len(y), -1).astype(np.float64)
