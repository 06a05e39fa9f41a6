"""Remarks on numbers that look wrong. They refuse nothing, since only people know what is plausible."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from .array_file import Array
from .data import Normalisation, Pairs, gives_batches
from .tensors import to_tensor

READ, MOST = 2**24, 2**20  # numbers to read, and to look at
GAP = 5  # ranges of all other numbers: what is farther away from them, may stand for a missing one
FAR, RATIO = 10, 30  # deviations between means, and between deviations: beyond, the unit may be another


def doubts(datasets: dict[str, Pairs], targets: dict[str, Array], statistics: Normalisation) -> Iterator[str]:
    """Yield what may be wrong with the samples, or the targets, of the splits."""
    name, values = by_channel(datasets["train"])
    if statistics.std.isinf().all():
        yield f"each {name} is the same number everywhere, such as {values[0, 0]:g}: there is nothing to learn from"
        return
    if filled := fill_value(name, values):
        yield filled
    for split, y in targets.items():
        numbers = y.ndim > 1 and (y.dtype.kind == "f" or y.ndim == 1 + datasets[split][0][0].ndim)  # images, too
        if numbers and (remark := fill_value("target", thinned(to_tensor(y[:: 1 + y.size // READ])).float())):
            yield f"in {split}, {remark}"
    for split, dataset in datasets.items():
        if split != "train" and not filled and (remark := other_scale(dataset, statistics)):
            yield f"in {split}, {fill_value(*by_channel(dataset)) or remark}"


def fill_value(name: str, values: Tensor) -> str | None:
    """Say which row of numbers (C, N) has one, perhaps often, that is far from all others, which differ."""
    middle, quarter = values.median(dim=1, keepdim=True).values, values.shape[1] // 4
    for ends in values.aminmax(dim=1, keepdim=True):
        others = torch.where(values == ends, middle, values)
        low, high = others.aminmax(dim=1, keepdim=True)
        quartiles = [others.kthvalue(1 + rank, dim=1, keepdim=True).values for rank in (quarter, 3 * quarter)]
        far = (torch.maximum(low - ends, ends - high) > GAP * (high - low)) & (quartiles[0] < quartiles[1])
        if far.any():
            at, *more = far.flatten().nonzero().flatten().tolist()
            share = (values[at] == ends[at]).double().mean().item()
            which = f"{name} {at}, like {len(more)} more," if more else f"{name} {at}"
            what = f"{which} is {ends[at].item():g} in {100 * share:.2g}%, and otherwise {low[at].item():.4g}"
            return f"{what} to {high[at].item():.4g}: leave it out or replace it, if it stands for a missing number"
    return None


def other_scale(dataset: Pairs, statistics: Normalisation) -> str | None:
    """Say which channel of new samples has another scale than in training."""
    name, values = by_channel(dataset)
    if values.shape[1] < RATIO:  # so few may well be all alike, or all rare
        return None
    new = [values.mean(1), values.std(1, correction=0)]  # each (C,)
    own = [statistics.mean.flatten(), statistics.std.flatten()]
    other = (new[1] > RATIO * own[1]) | ((new[1] > 0) & (RATIO * new[1] < own[1]))
    other = (other | ((new[0] - own[0]).abs() > FAR * own[1])) & own[1].isfinite()  # a constant one is not used
    if not other.any():
        return None
    at = int(other.nonzero()[0])
    there, here = (f"{mean[at]:.4g} ± {std[at]:.3g}" for mean, std in (new, own))
    return f"{name} {at} is {there}, and {here} in training: are the units the same?"


def by_channel(dataset: Pairs) -> tuple[str, Tensor]:
    """Return what a channel is called, and numbers of each (C, N): of samples from all over the dataset."""
    count, size = len(dataset), math.prod(dataset[0][0].shape)  # type: ignore[arg-type]  # torch promises no length
    samples = min(count, max(8, min(4096 if gives_batches(dataset) else 64, READ // size)))
    positions = torch.arange(samples) * count // samples
    if gives_batches(dataset):
        x = dataset.batch(positions.to(dataset.device))[0].float().cpu()
    else:
        x = torch.stack([torch.as_tensor(dataset[at][0]).float() for at in positions.tolist()])
    return "feature" if x.ndim == 2 else "channel", thinned(x)


def thinned(x: Tensor) -> Tensor:
    """Return numbers of each channel (C, M) of samples (N, C, ...), not more of them than are looked at."""
    return x.transpose(0, 1).flatten(1)[:, :: 1 | x.numel() // MOST]  # odd: not the same column of each row
