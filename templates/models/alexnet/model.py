"""The model: AlexNet (Krizhevsky, Sutskever and Hinton, 2012), in the shape that lesson 10 of the notes gives it."""

import math

import torch
from torch import Tensor, nn

from .errors import ConfigError


class AlexNet(nn.Module):
    """Two convolutions, each followed by a halving, then two wide linear layers.

    `in_size` is the number of features that enter the first linear layer (lessons 7 and 10 of the notes): the last
    convolution's channels times its positions. A (3, 224, 224) image becomes (256, 12, 12), if the widths are those of
    the notes: 36,864.
    """

    def __init__(
        self, *, in_channels: int, in_size: int, out_size: int, width: int, hidden_size: int, dropout: float
    ) -> None:
        super().__init__()
        self.convolutions = build_convolutions(in_channels, width=width)
        self.linear1 = nn.Sequential(nn.Linear(in_size, hidden_size), nn.ReLU(), nn.Dropout(dropout))
        self.linear2 = nn.Sequential(nn.Linear(hidden_size, hidden_size), nn.ReLU(), nn.Dropout(dropout))
        self.output = nn.Linear(hidden_size, out_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return one row of outputs per sample."""
        x = self.convolutions(x)  # (B, C, H, W) -> (B, width * 8 // 3, about H / 16, about W / 16)
        x = x.flatten(start_dim=1)  # (B, in_size)
        x = self.linear1(x)  # (B, hidden_size)
        x = self.linear2(x)  # (B, hidden_size)
        return self.output(x)  # (B, out_size)


def build_convolutions(in_channels: int, *, width: int) -> nn.Sequential:
    """Return the convolutional part: (B, in_channels, H, W) -> (B, width * 8 // 3, about H / 16, about W / 16)."""
    more = width * 8 // 3  # 96 -> 256, as in the paper
    return nn.Sequential(
        nn.Conv2d(in_channels, width, kernel_size=11, stride=4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(width, more, kernel_size=5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
    )


def build_model(
    sample_shape: tuple[int, ...],
    out_size: int,
    *,
    width: int,
    hidden_size: int,
    dropout: float,
    in_size: int | None,
) -> nn.Module:
    """Build the network for images (C, H, W); a given `in_size` is only checked.

    Raises ConfigError for a shape that the network cannot take, and for a wrong `in_size`.
    """
    if len(sample_shape) != 3:
        what = f"an alexnet needs images of shape (C, H, W), not samples of shape {sample_shape}"
        fix = "say where the channels are with --data.channels (none: grey images); for other data, use another model"
        raise ConfigError(what, "in build_model", fix)
    if min(sample_shape[1:]) < 35:
        what = f"an alexnet needs images of shape (C, 35, 35) or larger, not {sample_shape}"
        raise ConfigError(what, "in build_model", "enlarge it")
    with torch.random.fork_rng([]), torch.device("cpu"), torch.inference_mode():  # as if nothing had been drawn
        thin = build_convolutions(1, width=1)  # cheap; with groups of channels, it must be wider
        positions = thin(torch.zeros(1, 1, *sample_shape[1:])).shape[2:]
    features = (width * 8 // 3, *positions)
    measured = math.prod(features)
    if in_size not in (None, measured):
        raise ConfigError(
            f"--model.in-size is {in_size} but must be {measured}",
            f"in build_model, where a sample {sample_shape} becomes {features}",
            "leave it out to have it measured",
        )
    return AlexNet(
        in_channels=sample_shape[0],
        in_size=measured,
        out_size=out_size,
        width=width,
        hidden_size=hidden_size,
        dropout=dropout,
    )
