@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """AlexNet, for images."""

    width: int = 96
    """Channels of the first convolution; the second has 8/3 as many."""
    hidden_size: int = 4096
    """Outputs of each of the two linear layers before the last."""
    dropout: float = 0.5
    """How much of each of these layers is left out at random while training; more of it against overfitting."""
    in_size: Optional[int] = None
    """Features that enter the first linear layer. Left out, they are measured from the convolutions."""

    minimum_size = 35  # the shortest side that the model takes: two convolutions and two halvings leave one position

    def __post_init__(self) -> None:
        for name in ("width", "hidden_size"):
            require(1 <= getattr(self, name) <= 2**16, f"model.{name}", getattr(self, name), f"1 to {2**16}")
        require(0 <= self.dropout < 1, "model.dropout", self.dropout, "at least 0 and below 1")

    def outline(self, sample_shape: tuple[int, ...]) -> str | None:
        """Tell `inspect` by arithmetic what becomes of a sample; None if build_model would refuse it."""
        if len(sample_shape) != 3 or min(sample_shape[1:]) < self.minimum_size:
            return None
        positions = [(((side - 11) // 4 + 1 - 3) // 2 + 1 - 3) // 2 + 1 for side in sample_shape[1:]]
        features = [self.width * 8 // 3, *positions]
        if self.in_size not in (None, math.prod(features)):
            return None
        return f"in_size {math.prod(features)} = {' x '.join(map(str, features))}, into the first linear layer"


