"""Random variations of training samples, a batch at a time: a function of seed, epoch and batch number."""

import torch
from torch import Tensor

from .data_config import AugmentSettings
from .device import generator
from .errors import ConfigError


class Augmentation:
    """Flips, shifts and noise, as the settings say; where targets are `dense`, they keep the geometry of their samples.

    It needs no state: a resumed run draws what it would have drawn. Raises ConfigError for samples that have no `sides`
    to flip or shift.
    """

    def __init__(self, settings: AugmentSettings, *, sides: tuple[int, ...], dense: bool, seed: int) -> None:
        self.settings, self.dense, self.seed = settings, dense, seed
        self.moves = settings.flip != "none" or settings.shift > 0
        if self.moves and settings.shift >= min(sides, default=0):
            fix = "shift less than the shortest side; tables take only --augment.noise"
            if not sides:
                raise ConfigError("rows of a table have no sides to flip or shift", "in --augment", fix)
            what = f"--augment.shift is {settings.shift}, and samples have sides {sides}"
            raise ConfigError(what, "in --augment", fix)

    def __call__(
        self, x: Tensor, y: Tensor, *, epoch: int, batch: int, count: int, share: slice
    ) -> tuple[Tensor, Tensor]:
        """Return varied samples (B, C, ...) and, if they are dense, their targets (B, ...) or (B, C, ...).

        They are a `share` of the batch of `count` samples, and get what they would get in the whole of it.
        """
        if self.moves:
            drawn = self.draw_positions(x.shape[2:], count, generator(self.seed, epoch, batch, 1, device=x.device))
            positions = [where[share] for where in drawn]
            x = move(x, positions)
            if self.dense:
                y = move(y, positions) if y.ndim == x.ndim else move(y[:, None], positions)[:, 0]
        if self.settings.noise:
            noise = x.new_empty((count, *x.shape[1:]))
            noise.normal_(generator=generator(self.seed, epoch, batch, 2, device=x.device))
            x = x + self.settings.noise * noise[share]
        return x, y

    def draw_positions(self, sides: tuple[int, ...], count: int, generator: torch.Generator) -> list[Tensor]:
        """Return for each axis of samples with these sides where each one's positions are taken from (count, side)."""
        flip, shift, device = self.settings.flip, self.settings.shift, generator.device
        drawn = []
        for axis, side in enumerate(sides, 1):
            shifts = torch.randint(-shift, shift + 1, (count, 1), generator=generator, device=device)
            flips = torch.randint(2, (count, 1), generator=generator, device=device) == 1
            where = torch.arange(side, device=device) + shifts  # (count, side)
            where = side - 1 - (where.abs() - (side - 1)).abs().clamp(max=side - 1)  # outside, mirrored at the edge
            if flip == "all" or (flip == "horizontal" and axis == len(sides)):
                where = torch.where(flips, side - 1 - where, where)
            drawn.append(where)
        return drawn


def move(x: Tensor, positions: list[Tensor]) -> Tensor:
    """Return (B, C, ...) with each sample's values taken from these positions (B, side) along each axis."""
    for axis, where in enumerate(positions, 2):
        shape = [len(where), *[1] * (x.ndim - 1)]
        shape[axis] = where.shape[1]
        x = x.take_along_dim(where.view(shape), axis)
    return x
