"""Batches by index: the order of an epoch is a function of seed and epoch, and so needs no state."""

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from .augment import Augmentation
from .data import Normalisation, Pairs, gives_batches
from .device import generator, random_states, restore_random_states
from .errors import Interrupted
from .tensors import on_device
from .workers import Workers

AT_ONCE = 2**22  # numbers to gather in one go, of all samples: 16 MiB of floats


def permutation(count: int, *, seed: int | None, epoch: int, block: int = 1) -> Tensor:
    """Return the positions 0..count-1 in the order of that epoch, the same on every machine and every resume.

    Without a seed, they come as they are. With larger blocks of neighbours, it shuffles twice: the blocks, then the
    samples within each run of 256 blocks. So what is read together lies together on the disk.
    """
    if seed is None:
        return torch.arange(count)
    numbers = generator(seed, epoch)
    if block == 1:
        return torch.randperm(count, generator=numbers)
    blocks = torch.arange(count).split(block)
    near = torch.cat([blocks[k] for k in torch.randperm(len(blocks), generator=numbers)])
    return torch.cat([part[torch.randperm(len(part), generator=numbers)] for part in near.split(256 * block)])


def draws(call: Callable[[], object], device: torch.device) -> bool:
    """Return whether a call takes numbers from the global random generators, which are then put back."""
    states, after, gpu = random_states(), [], device if device.type == "cuda" else None
    for each in (lambda: None, call):
        each()
        after.append([float(torch.rand((), device=gpu)), float(torch.rand(())), random.random(), np.random.random()])
        restore_random_states(states)
    return after[0] != after[1]


@contextmanager
def repeatable() -> Iterator[None]:
    """Put the random generators back if what is within is interrupted: done anew, it will draw the same numbers."""
    states = random_states()
    try:
        yield
    except Interrupted:
        restore_random_states(states)
        raise


def batches_at_once(batch_size: int, numbers: int, *, most: int) -> int:
    """Return how many batches, of samples with so many numbers, to gather in one go: it costs less than one by one."""
    return max(1, min(most, AT_ONCE // (batch_size * numbers)))


def evaluation_batch_size(trained: float, shape: tuple[int, ...], device: torch.device) -> int:
    """Return how many samples (C, ...) are scored at once, of so many `trained`: more, since no gradients are kept.

    On a GPU, which computes a million numbers as fast as a thousand, they may be up to 64 times as many.
    """
    size = max(1, int(2 * trained))
    return size * max(1, min(32, 2**20 // (size * math.prod(shape)))) if device.type == "cuda" else size


@dataclass(eq=False, repr=False)
class Batches:
    """Batches of samples, gathered on the device where the dataset lies, normalised and augmented there.

    With a `seed` every epoch has an order of its own; without one, the samples come as they lie. The last batch may be
    smaller; none is dropped. With `workers`, each of them gets its share of each batch.
    """

    dataset: Pairs
    _: KW_ONLY
    batch_size: int
    batches_per_gather: int = 1
    device: torch.device
    normalisation: Normalisation | None = None
    augmentation: Augmentation | None = None
    seed: int | None = None
    workers: Workers | None = None

    def __post_init__(self) -> None:
        self.count = len(self.dataset)  # type: ignore[arg-type]  # torch's Dataset does not promise a length
        self.sizes = [min(self.batch_size, self.count - k) for k in range(0, self.count, self.batch_size)]  # of batches
        self.normalisation = self.normalisation and self.normalisation.to(self.device)
        self.block, self.index_device = 1, torch.device("cpu")
        if gives_batches(self.dataset):
            self.dataset.to(self.device)
            self.block, self.index_device = self.dataset.block, self.dataset.device
            apart = max(1, self.count // (self.batches_per_gather * self.batch_size))
            several = torch.arange(0, self.count, apart, device=self.index_device)  # perhaps it varies one class only
            if self.batches_per_gather > 1 and draws(partial(self.dataset.batch, several), self.device):
                self.batches_per_gather = 1  # what a checkpoint has, must not have been drawn for batches after it

    def __len__(self) -> int:
        return len(self.sizes)

    def epoch(self, epoch: int = 0, *, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield samples (B, C, ...) and targets (B, ...) from batch `start` of an epoch, aligned as in a whole one."""
        order = permutation(self.count, seed=self.seed, epoch=epoch, block=self.block).to(self.index_device)
        if len(order) != self.count:
            raise ValueError(f"permutation, in batches.py, returned {len(order)} positions, not {self.count}")
        share = self.workers.share if self.workers else slice  # which of so many samples are ours
        first = start - start % self.batches_per_gather if gives_batches(self.dataset) else start
        parts = [part[share(len(part))] for part in order.split(self.batch_size)[first:]]
        for batch, (x, y) in enumerate(islice(self.fetch(parts), start - first, None), start):
            if self.augmentation:
                count = self.sizes[batch]
                x, y = self.augmentation(x, y, epoch=epoch, batch=batch, count=count, share=share(count))
            yield x, y

    def fetch(self, parts: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield samples, normalised, and targets on the device: a batch for each tensor of positions (B,)."""
        if gives_batches(self.dataset):
            groups = [parts[k : k + self.batches_per_gather] for k in range(0, len(parts), self.batches_per_gather)]
            indices = [torch.cat(group) for group in groups]
            for k, group in enumerate(groups):
                x, y = self.dataset.batch(indices[k])
                if k + 1 < len(groups):
                    self.dataset.read_ahead(indices[k + 1])  # this very tensor is asked for next
                sizes = [len(part) for part in group]
                yield from zip(self.ready(x).split(sizes), on_device(y, self.device).split(sizes), strict=True)
        else:
            positions = [part.tolist() or [0] for part in parts]  # a share may be empty
            loader = DataLoader(self.dataset, batch_sampler=positions, generator=torch.Generator())  # not the global
            for part, (x, y) in zip(parts, loader, strict=True):
                yield self.ready(x[: len(part)]), on_device(y[: len(part)], self.device)

    def ready(self, x: Tensor) -> Tensor:
        """Return samples (B, C, ...) on the device, as floats, normalised."""
        x = on_device(x, self.device).float()
        return self.normalisation.apply(x) if self.normalisation else x
