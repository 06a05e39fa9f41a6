"""The model: residual blocks (He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition, 2016).

As is usual now, shortcuts that change the shape are 1-wide convolutions (option B of the paper), a bottleneck halves in
its 3-wide convolution, and blocks begin as the identity.

One class for signals (B, C, L), images (B, C, H, W) and volumes (B, C, D, H, W): the sample's shape chooses the layers.
"""

from torch import Tensor, nn

from .errors import ConfigError

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
# depth -> blocks of each stage, for large images (table 1 of the paper)
STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class Block(nn.Module):
    """Convolutions whose result is added to what went in. With a `bottleneck`, a wide sample is worked on narrowly."""

    def __init__(self, inputs: int, width: int, *, stride: int, bottleneck: bool, dimensions: int) -> None:
        super().__init__()
        outputs = 4 * width if bottleneck else width
        shapes = [(inputs, width, 3, stride), (width, width, 3, 1)]  # inputs, outputs, kernel size, stride
        if bottleneck:
            shapes = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        layers: list[nn.Module] = []
        for shape in shapes:
            layers += [*convolution(*shape, dimensions=dimensions), nn.ReLU(inplace=True)]
        layers.pop()  # the last ReLU comes after the sum
        nn.init.zeros_(layers[-1].weight)  # type: ignore[arg-type]  # begins as the identity (Goyal et al., 2017)
        self.residual = nn.Sequential(*layers)
        projected = stride != 1 or inputs != outputs
        shortcut = convolution(inputs, outputs, 1, stride, dimensions=dimensions) if projected else []
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's outputs: a stride of 2 halves the sides."""
        return (self.residual(x) + self.shortcut(x)).relu_()


class ResNet(nn.Module):
    """A stem, stages of blocks, of which all but the first halve the sample, and a linear layer over the means.

    `stem` "small" is one 3-wide convolution, "large" a 7-wide one and a pooling that leave a quarter of each side.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_size: int,
        dimensions: int,
        stages: tuple[int, ...],
        width: int,
        stem: str,
        bottleneck: bool,
    ) -> None:
        super().__init__()
        first = (3, 1) if stem == "small" else (7, 2)  # kernel size and stride
        layers = [*convolution(in_channels, width, *first, dimensions=dimensions), nn.ReLU(inplace=True)]
        if stem == "large":
            layers.append(POOLS[dimensions](kernel_size=3, stride=2, padding=1))
        self.stem = nn.Sequential(*layers)
        blocks: list[nn.Module] = []
        channels = width
        for stage, depth in enumerate(stages):
            for block in range(depth):
                stride = 2 if stage > 0 and block == 0 else 1
                outputs = width * 2**stage
                blocks.append(Block(channels, outputs, stride=stride, bottleneck=bottleneck, dimensions=dimensions))
                channels = 4 * outputs if bottleneck else outputs
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.Linear(channels, out_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return one row of outputs per sample."""
        x = self.stem(x)  # (B, C, H, W) -> (B, width, H, W), or a quarter of each side
        x = self.blocks(x)  # (B, channels, H / 4, W / 4), or 1/32 of the sides with the large stem
        x = x.flatten(start_dim=2).mean(dim=2)  # (B, channels)
        return self.output(x)  # (B, out_size)


def convolution(inputs: int, outputs: int, kernel_size: int, stride: int, *, dimensions: int) -> list[nn.Module]:
    """Return a convolution that keeps the sides, but for the stride, and its norm."""
    layer = CONVOLUTIONS[dimensions](inputs, outputs, kernel_size, stride=stride, padding=kernel_size // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")  # He et al., 2015
    return [layer, NORMS[dimensions](outputs)]


def build_model(sample_shape: tuple[int, ...], out_size: int, *, stem: str, depth: int, width: int) -> nn.Module:
    """Build the network for samples of shape (C, L), (C, H, W) or (C, D, H, W).

    Raises ConfigError for other shapes.
    """
    in_channels, *sides = sample_shape
    if len(sides) not in CONVOLUTIONS:
        what = f"a resnet needs samples of shape (C, L), (C, H, W) or (C, D, H, W), not {sample_shape}"
        fix = "an mlp for tables; x.reshape(-1, 1, height, width) for flat images; --data.channels none for signals"
        raise ConfigError(what, "in build_model", fix)
    return ResNet(
        in_channels=in_channels,
        out_size=out_size,
        dimensions=len(sides),
        stages=STAGES[depth] if stem == "large" else ((depth - 2) // 6,) * 3,
        width=width,
        stem=stem,
        bottleneck=stem == "large" and depth >= 50,
    )
