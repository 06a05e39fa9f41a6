@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """A multilayer perceptron."""

    width: int = 256
    """Outputs of each hidden layer."""
    depth: int = 2
    """Hidden layers; 0 leaves a linear model."""
    dropout: float = 0.5
    """How much of each hidden layer is left out at random while training; more of it against overfitting."""
    in_size: Optional[int] = None
    """Features that enter the first linear layer. Left out, they are counted from the samples."""

    minimum_size = 1  # the shortest side that the model takes

    def __post_init__(self) -> None:
        require(1 <= self.width <= 2**16, "model.width", self.width, f"1 to {2**16}")
        require(0 <= self.depth <= 100, "model.depth", self.depth, "0 to 100")
        require(0 <= self.dropout < 1, "model.dropout", self.dropout, "at least 0 and below 1")

    def outline(self, sample_shape: tuple[int, ...]) -> str | None:
        """Tell `inspect` by arithmetic what becomes of a sample; None if build_model would refuse it."""
        if self.in_size not in (None, math.prod(sample_shape)):
            return None
        return f"in_size {math.prod(sample_shape)} = {' x '.join(map(str, sample_shape))}, into the first linear layer"


