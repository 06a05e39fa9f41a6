"""The model: a vision transformer (Dosovitskiy et al., An Image is Worth 16x16 Words, 2021).

One class for signals (B, C, L), images (B, C, H, W) and volumes (B, C, D, H, W): their shape chooses the patches.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import choose_patch_size
from .errors import ConfigError

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class Attention(nn.Module):
    """Every token looks at every other, with several heads (Vaswani et al., 2017)."""

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens (B, T, width)."""
        B, T, width = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        x = functional.scaled_dot_product_attention(q, k, v)  # all four are (B, heads, T, width / heads)
        return self.output(x.transpose(1, 2).reshape(B, T, width))


class Block(nn.Module):
    """Attention between the tokens, then two linear layers on each; both are added to what went in."""

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = nn.Sequential(Attention(width, heads=heads), nn.Dropout(dropout))
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        hidden = 4 * width
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens (B, T, width)."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Patches become tokens; a class token gathers what the output needs; positions are learned."""

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        out_size: int,
        *,
        patch_size: int,
        width: int,
        depth: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        in_channels, *sides = sample_shape
        self.padding = [amount for side in reversed(sides) for amount in (0, -side % patch_size)]  # zeros at ends
        tokens = 1 + math.prod(math.ceil(side / patch_size) for side in sides)
        self.patches = CONVOLUTIONS[len(sides)](in_channels, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, tokens, width))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(Block(width, heads=heads, dropout=dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.output = nn.Linear(width, out_size)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)  # Glorot and Bengio (2010)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.positions)  # with the authors' 0.02, few samples hardly tell where patches are
        nn.init.zeros_(self.output.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return one row of outputs per sample."""
        x = self.patches(functional.pad(x, self.padding)).flatten(2).transpose(1, 2)  # (B, T - 1, width)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1)  # (B, T, width)
        x = self.blocks(self.dropout(x + self.positions))  # (B, T, width)
        return self.output(self.norm(x[:, 0]))  # (B, out_size)


def build_model(
    sample_shape: tuple[int, ...],
    out_size: int,
    *,
    patch_size: int | None,
    width: int,
    depth: int,
    heads: int,
    dropout: float,
) -> nn.Module:
    """Build the network for samples (C, L), (C, H, W) or (C, D, H, W). Raises ConfigError for other shapes."""
    sides = sample_shape[1:]
    if len(sides) not in CONVOLUTIONS:
        what = f"a vit needs samples of shape (C, L), (C, H, W) or (C, D, H, W), not {sample_shape}"
        fix = "an mlp for tables; x.reshape(-1, 1, height, width) for flat images; --data.channels none for signals"
        raise ConfigError(what, "in build_model", fix)
    patch_size = patch_size or choose_patch_size(sides)
    return ViT(sample_shape, out_size, patch_size=patch_size, width=width, depth=depth, heads=heads, dropout=dropout)
