"""Remarks on the scale of the numbers in samples. They refuse nothing, since only people know what is plausible."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from .batches import Batches
from .data import Normalisation, some

SAMPLES, NUMBERS = 500, 2**20  # the most to look at
FAR = 10  # deviations between means: of more than that, somebody should hear
RATIO = 30  # between deviations: likewise


def outliers(dataset: Dataset[tuple[Tensor, Tensor]], normalisation: Normalisation) -> str | None:
    """Say which channel of the training samples has outliers that hide the other numbers; or that all are the same."""
    name, values = by_channel(dataset)
    if (values == values[:, :1]).all():
        return f"each {name} is the same number everywhere, such as {values[0, 0]:g}: there is nothing to learn from"
    count = values.shape[1]
    low, high = (values.kthvalue(1 + k * count // 4, dim=1).values for k in (1, 3))  # quartiles, each (C,)
    std = normalisation.std.flatten()
    hidden = ((low < high) & (RATIO * (high - low) < std)).nonzero()
    if not len(hidden):
        return None
    at = int(hidden[0])
    what = f"half of {name} {at} lies between {low[at]:.4g} and {high[at]:.4g}, and its deviation is {std[at]:.3g}"
    return f"{what}: replace fill values such as -9999, or take logarithms"


def shift(dataset: Dataset[tuple[Tensor, Tensor]], normalisation: Normalisation) -> str | None:
    """Say which channel of new samples has another scale than in training."""
    name, values = by_channel(dataset)
    new = [values.mean(1), values.std(1, correction=0)]  # each (C,)
    own = [normalisation.mean.flatten(), normalisation.std.flatten()]
    far = ((new[0] - own[0]).abs() > FAR * own[1]) | (new[1] > RATIO * own[1])
    if values.shape[1] >= RATIO:  # fewer may well be near each other
        far |= (new[1] > 0) & (RATIO * new[1] < own[1])
    if not far.any():
        return None
    at = int(far.nonzero()[0])
    there, here = (f"{mean[at]:.4g} ± {std[at]:.3g}" for mean, std in (new, own))
    return f"{name} {at} is {there}, and was {here} in training: are the units the same?"


def by_channel(dataset: Dataset[tuple[Tensor, Tensor]]) -> tuple[str, Tensor]:
    """Return what a channel is called, and the numbers of each (C, ...) in some samples, from all over the dataset."""
    count = max(1, min(SAMPLES, NUMBERS // dataset[0][0].numel()))
    x, _ = next(Batches(some(dataset, count), batch_size=count, device=torch.device("cpu")).epoch())
    return "feature" if x.ndim == 2 else "channel", x.transpose(0, 1).flatten(1)
