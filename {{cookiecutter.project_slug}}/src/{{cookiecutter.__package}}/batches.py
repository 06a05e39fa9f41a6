"""Batches by index: the order of an epoch is a function of seed and epoch, and so needs no state."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from .data import ArrayDataset, Normalisation


def permutation(count: int, *, seed: int, epoch: int) -> Tensor:
    """Return the positions 0..count-1 in the order of that epoch, the same on every machine and every resume."""
    (mixed,) = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)
    generator = torch.Generator().manual_seed(int(mixed) % 2**63)
    return torch.randperm(count, generator=generator)


class Batches:
    """Whole batches of normalised samples, gathered on the device where the dataset lies.

    With a `seed` every epoch has an order of its own; without one, the samples come as they lie. The last batch may be
    smaller; none is dropped.
    """

    def __init__(
        self,
        dataset: ArrayDataset,
        *,
        batch_size: int,
        normalisation: Normalisation,
        device: torch.device,
        seed: int | None = None,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.normalisation = normalisation.to(device)
        self.device = device
        self.seed = seed

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def sizes(self) -> list[int]:
        """How many samples each batch has."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return [self.batch_size] * full + ([rest] if rest else [])

    def epoch(self, epoch: int = 0, *, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield samples (B, C, ...) and targets (B, ...) of an epoch, from batch number `start` on."""
        if self.seed is None:
            order = torch.arange(len(self.dataset))
        else:
            order = permutation(len(self.dataset), seed=self.seed, epoch=epoch)
        for indices in order.to(self.device).split(self.batch_size)[start:]:
            x, y = self.dataset.__getitems__(indices)
            yield self.normalisation.apply(x), y
