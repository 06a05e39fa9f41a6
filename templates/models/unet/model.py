"""The model: a U-Net (Ronneberger, Fischer and Brox, 2015), whose output has the size of its input, whatever that is.

One class for signals (B, C, L), images (B, C, H, W) and volumes (B, C, D, H, W): the sample's shape chooses the layers.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .errors import ConfigError

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
UP_CONVOLUTIONS = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}


class UNet(nn.Module):
    """Down by halvings, up again by doublings; on the way up, every level sees what it was on the way down.

    Unlike in the paper, convolutions are padded, so that nothing is cropped, and normalised, and every level has
    dropout, not the lowest alone.
    """

    def __init__(
        self, in_channels: int, out_size: int, *, dimensions: int, width: int, depth: int, dropout: float
    ) -> None:
        super().__init__()
        self.multiple = 2**depth
        widths = [width * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            build_level(inputs, outputs, dimensions=dimensions, dropout=dropout)
            for inputs, outputs in zip([in_channels, *widths], widths, strict=False)
        )
        self.pool = POOLS[dimensions](kernel_size=2)
        pairs = [(2 * outputs, outputs) for outputs in reversed(widths[:-1])]  # from the bottom to the top
        self.up = nn.ModuleList(UP_CONVOLUTIONS[dimensions](*pair, kernel_size=2, stride=2) for pair in pairs)
        self.merge = nn.ModuleList(build_level(*pair, dimensions=dimensions, dropout=dropout) for pair in pairs)
        self.output = CONVOLUTIONS[dimensions](width, out_size, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs (B, out_size, ...) at each position of the samples (B, C, ...)."""
        sides = x.shape[2:]
        # Samples whose sides cannot be halved so often are continued at their ends, and cropped again below. The lowest
        # level keeps two positions at least, which its norm needs.
        padding = [n for side in reversed(sides) for n in (0, max(2, -(-side // self.multiple)) * self.multiple - side)]
        x = functional.pad(x, padding, mode="replicate")
        skipped = []
        for convolutions in self.down[:-1]:
            x = convolutions(x)  # of level 0, 1, ...: (B, width * 2 ** level, H / 2 ** level, W / 2 ** level)
            skipped.append(x)
            x = self.pool(x)
        x = self.down[-1](x)  # (B, width * 2 ** depth, H / 2 ** depth, W / 2 ** depth)
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([skipped.pop(), up(x)], dim=1))
        return self.output(x)[..., *map(slice, sides)]  # (B, out_size, H, W)


def build_level(inputs: int, outputs: int, *, dimensions: int, dropout: float) -> nn.Sequential:
    """Return two 3-wide convolutions: (B, inputs, ...) -> (B, outputs, ...)."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            CONVOLUTIONS[dimensions](channels, outputs, kernel_size=3, padding=1, bias=False),
            NORMS[dimensions](outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers, nn.Dropout(dropout))


def build_model(sample_shape: tuple[int, ...], out_size: int, *, width: int, depth: int, dropout: float) -> nn.Module:
    """Build the network for samples of shape (C, L), (C, H, W) or (C, D, H, W). Raises ConfigError for other shapes."""
    in_channels, *sides = sample_shape
    if len(sides) not in CONVOLUTIONS:
        what = f"a unet needs samples of shape (C, L), (C, H, W) or (C, D, H, W), not {sample_shape}"
        fix = "say where the channels are with --data.channels (none: grey images or volumes, single signals)"
        raise ConfigError(what, "in build_model", fix)
    return UNet(in_channels, out_size, dimensions=len(sides), width=width, depth=depth, dropout=dropout)
