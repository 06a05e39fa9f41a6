@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """A vision transformer."""

    patch_size: Optional[int] = None
    """Side of a patch, which becomes a token. Left out: 2, 4, 8, ..., the first that gives at most 64 patches."""
    width: int = 64
    """Numbers per token."""
    depth: int = 4
    """Blocks of attention and linear layers."""
    heads: int = 4
    """Ways in which a token can look at the others; they share the width."""
    dropout: float = 0.1
    """How much of each layer is left out at random while training; more of it against overfitting."""

    minimum_size = 1  # the shortest side that the model takes

    def __post_init__(self) -> None:
        size = self.patch_size
        require(size is None or 1 <= size <= 2**16, "model.patch_size", size, f"1 to {2**16}")
        for name, most in (("width", 2**14), ("depth", 100), ("heads", 2**10)):
            require(1 <= getattr(self, name) <= most, f"model.{name}", getattr(self, name), f"1 to {most}")
        require(self.width % self.heads == 0, "model.width", self.width, f"a multiple of --model.heads={self.heads}")
        require(0 <= self.dropout < 1, "model.dropout", self.dropout, "at least 0 and below 1")

    def outline(self, sample_shape: tuple[int, ...]) -> str | None:
        """Tell `inspect` by arithmetic what becomes of a sample; None if build_model would refuse it."""
        if len(sample_shape) not in (2, 3, 4):
            return None
        size = self.patch_size or choose_patch_size(sample_shape[1:])
        cut = [math.ceil(side / size) for side in sample_shape[1:]]
        return f"{math.prod(cut)} = {' x '.join(map(str, cut))} patches of side {size}"


def choose_patch_size(sides: tuple[int, ...]) -> int:
    """Return the smallest power of two above 1 that cuts a sample of these sides into at most 64 patches."""
    size = 2
    while math.prod(math.ceil(side / size) for side in sides) > 64:
        size *= 2
    return size


