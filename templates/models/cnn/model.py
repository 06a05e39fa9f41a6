"""The model: stages of convolutions, then two linear layers.

One class for signals (B, C, L), images (B, C, H, W) and volumes (B, C, D, H, W): the sample's shape chooses the layers.
"""

import math

import torch
from torch import Tensor, nn

from .errors import ConfigError

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}


class CNN(nn.Module):
    """Stages of two 3-wide convolutions with batch norm, each ending in a halving; then two linear layers.

    `in_size` is the number of features that enter the first linear layer (lessons 7 and 10 of the notes): the last
    stage's channels times its positions. A (1, 8, 8) image becomes (64, 2, 2) in two stages of width 32: 256.
    """

    def __init__(self, stages: nn.Module, *, in_size: int, out_size: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.stages = stages
        self.linear = nn.Sequential(nn.Linear(in_size, hidden_size), nn.ReLU(), nn.Dropout(dropout))
        self.output = nn.Linear(hidden_size, out_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return one row of outputs per sample."""
        x = self.stages(x)  # (B, C, H, W) -> (B, width * 2 ** (depth - 1), H / 2 ** depth, W / 2 ** depth)
        x = x.flatten(start_dim=1)  # (B, in_size)
        x = self.linear(x)  # (B, hidden_size)
        return self.output(x)  # (B, out_size)


def build_stages(in_channels: int, *, dimensions: int, width: int, depth: int) -> nn.Sequential:
    """Return the convolutional part: (B, in_channels, ...) -> (B, width * 2 ** (depth - 1), ...)."""
    convolution, norm, pool = CONVOLUTIONS[dimensions], NORMS[dimensions], POOLS[dimensions]
    layers: list[nn.Module] = []
    for stage in range(depth):
        channels = width * 2**stage
        for inputs in (in_channels, channels):
            layers += [
                convolution(inputs, channels, kernel_size=3, padding=1, bias=False),
                norm(channels),
                nn.ReLU(inplace=True),
            ]
        layers.append(pool(kernel_size=2))
        in_channels = channels
    return nn.Sequential(*layers)


def build_model(
    sample_shape: tuple[int, ...],
    out_size: int,
    *,
    width: int,
    depth: int,
    hidden_size: int,
    dropout: float,
    in_size: int | None,
) -> nn.Module:
    """Build the network for samples of shape (C, L), (C, H, W) or (C, D, H, W); a given `in_size` is only checked.

    Raises ConfigError for a shape that the network cannot take, and for a wrong `in_size`.
    """
    in_channels, *sides = sample_shape
    if len(sides) not in CONVOLUTIONS:
        what = f"a cnn needs samples of shape (C, L), (C, H, W) or (C, D, H, W), not {sample_shape}"
        fix = "an mlp for tables; x.reshape(-1, 1, height, width) for flat images; --data.channels none for signals"
        raise ConfigError(what, "in build_model", fix)
    if min(sides) < 2**depth:
        what = f"samples of shape {sample_shape} are too small to be halved --model.depth={depth} times"
        fix = f"a side needs 2 ** depth = {2**depth} positions: use a smaller --model.depth or larger samples"
        raise ConfigError(what, "in build_model", fix)
    with torch.random.fork_rng([]), torch.device("cpu"), torch.inference_mode():  # as if nothing had been drawn
        thin = build_stages(1, dimensions=len(sides), width=1, depth=depth).eval()  # cheap; wider for GroupNorm
        positions = thin(torch.zeros(1, 1, *sides)).shape[2:]
    features = (width * 2 ** (depth - 1), *positions)
    measured = math.prod(features)
    if in_size not in (None, measured):
        raise ConfigError(
            f"--model.in-size is {in_size} but must be {measured}",
            f"in build_model, where a sample {sample_shape} becomes {features}",
            "leave it out to have it measured",
        )
    stages = build_stages(in_channels, dimensions=len(sides), width=width, depth=depth)
    return CNN(stages, in_size=measured, out_size=out_size, hidden_size=hidden_size, dropout=dropout)
