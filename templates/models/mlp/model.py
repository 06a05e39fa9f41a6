"""The model: linear layers over the flattened sample."""

import math

from torch import Tensor, nn

from .errors import ConfigError


class MLP(nn.Module):
    """Hidden linear layers with ReLU and dropout, then a linear output.

    `in_size` is the number of features that enter the first linear layer (lessons 7 and 10 of the notes): all the
    numbers of a sample. A (1, 8, 8) image has 64.
    """

    def __init__(self, *, in_size: int, out_size: int, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        features = in_size
        for _ in range(depth):
            layers += [nn.Linear(features, width), nn.ReLU(), nn.Dropout(dropout)]
            features = width
        self.hidden = nn.Sequential(*layers)
        self.output = nn.Linear(features, out_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return one row of outputs per sample."""
        x = x.flatten(start_dim=1)  # (B, ...) -> (B, in_size)
        x = self.hidden(x)  # (B, width)
        return self.output(x)  # (B, out_size)


def build_model(
    sample_shape: tuple[int, ...],
    out_size: int,
    *,
    width: int,
    depth: int,
    dropout: float,
    in_size: int | None,
) -> nn.Module:
    """Build the network for samples of any shape; a given `in_size` is only checked.

    Raises ConfigError for a wrong `in_size`.
    """
    counted = math.prod(sample_shape)
    if in_size not in (None, counted):
        raise ConfigError(
            f"--model.in-size is {in_size} but must be {counted}",
            f"in build_model, where a sample {sample_shape} is flattened",
            "leave it out to have it counted",
        )
    return MLP(in_size=counted, out_size=out_size, width=width, depth=depth, dropout=dropout)
