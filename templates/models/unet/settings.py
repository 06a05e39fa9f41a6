@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """A U-Net: an output at each position of the sample."""

    width: int = 16
    """Channels of the first level (64 in the paper), doubled in each further one. Multiples of 16 are the fastest."""
    depth: int = 3
    """Halvings on the way down. The paper has 4."""
    dropout: float = 0.1
    """How much of each level is left out at random while training; more of it against overfitting."""

    minimum_size = 1  # the shortest side that the model takes

    def __post_init__(self) -> None:
        for name, most in (("width", 2**12), ("depth", 8)):
            require(1 <= getattr(self, name) <= most, f"model.{name}", getattr(self, name), f"1 to {most}")
        require(0 <= self.dropout < 1, "model.dropout", self.dropout, "at least 0 and below 1")

    def outline(self, sample_shape: tuple[int, ...]) -> str | None:
        """Tell `inspect` by arithmetic what becomes of a sample; None if build_model would refuse it."""
        if len(sample_shape) not in (2, 3, 4):
            return None
        lowest = [max(2, -(-side // 2**self.depth)) for side in sample_shape[1:]]
        sides = tuple(side * 2**self.depth for side in lowest)
        padded = f"; samples are padded to {sides}" if sides != sample_shape[1:] else ""
        positions, channels = " x ".join(map(str, lowest)), self.width * 2**self.depth
        return f"{self.depth} halvings, down to {positions} positions and {channels} channels, and up again{padded}"


