"""From arrays to tensors: the dataset that is trained on, and the statistics of its training split."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]


class ArrayDataset(Dataset[tuple[Tensor, Tensor]]):
    """Samples x (N, C, ...) and targets y (N, ...), kept in their own dtype until they are asked for (lesson 1).

    Training calls `__getitems__` with the positions of a whole batch, so whatever you change there, training follows.
    """

    def __init__(self, x: Array, y: Tensor) -> None:
        self.x = to_tensor(x)
        self.y = y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return one sample (C, ...) as floats, and its target."""
        return self.x[index].float(), self.y[index]

    def __getitems__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the samples (B, C, ...) at `indices` (B,) as floats, and their targets (B, ...)."""
        return self.x.index_select(0, indices).float(), self.y.index_select(0, indices)

    def to(self, device: torch.device) -> "ArrayDataset":
        """Move the arrays to the device, where batches are then gathered."""
        if device.type == "mps" and self.x.dtype == torch.float64:  # which it does not have
            self.x = self.x.float()
        self.x, self.y = self.x.to(device), self.y.to(device)
        return self


def to_tensor(array: Array) -> Tensor:
    """Return the array as a tensor, of the same dtype where torch can index and cast it."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "u" and size > 1:  # torch has only a few operations on these
        array = array.astype({2: np.int32, 4: np.int64, 8: np.float64}[size])
    if kind == "f" and size > 8:
        array = array.astype(np.float64)
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each channel (C, 1, ...) or feature (F,) of the training split."""

    mean: Tensor
    std: Tensor

    @classmethod
    def measure(cls, x: Tensor) -> "Normalisation":
        """Measure samples (N, C, ...), added up in double precision; a constant channel keeps a deviation of 1.

        Raises DataError for a channel that deviates by less than 1e-5 of its mean: the 32-bit floats of training have
        seven digits, and would leave two or less of such values.
        """
        axes = [0, *range(2, x.ndim)]
        count = x.numel() // x.shape[1]
        parts = x.split(max(1, 2**22 // x[0].numel()))  # so that the doubles of large arrays do not fill the memory
        mean = torch.stack([part.double().sum(axes) for part in parts]).sum(0) / count  # (C,)
        shape = (-1, *[1] * (x.ndim - 2))
        squares = [(part.double() - mean.view(shape)).square().sum(axes) for part in parts]
        std = (torch.stack(squares).sum(0) / count).sqrt()
        constant = x.amin(axes) == x.amax(axes)
        lost = (~constant & (std < 1e-5 * mean.abs())).nonzero()
        if len(lost):
            channel = int(lost[0])
            what = f"channel {channel} lies within {std[channel]:.3g} of {mean[channel]:.12g}"
            fix = "subtract its mean before you save it: 32-bit floats cannot tell such values apart"
            raise DataError(what, "in the training samples", fix)
        return cls(mean.float().view(shape), torch.where(constant, 1.0, std).float().view(shape))

    def apply(self, x: Tensor) -> Tensor:
        """Return the samples with mean 0 and standard deviation 1."""
        return (x - self.mean).div_(self.std)  # in place in the difference, which is ours

    def to(self, device: torch.device) -> "Normalisation":
        """Return the same statistics on the device."""
        return Normalisation(self.mean.to(device), self.std.to(device))
