@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """A multilayer perceptron."""

    width: int = 256
    """Outputs of each hidden layer."""
    depth: int = 2
    """Hidden layers; 0 is multinomial logistic regression."""
    dropout: float = 0.3
    """How much of each hidden layer is left out at random while training; more of it against overfitting."""
    in_size: int | None = None
    """Features that enter the first linear layer. Left out, they are counted from the samples."""

    def __post_init__(self) -> None:
        require(1 <= self.width <= 2**16, "model.width", self.width, f"1 to {2**16}")
        require(0 <= self.depth <= 100, "model.depth", self.depth, "0 to 100")
        require(0 <= self.dropout < 1, "model.dropout", self.dropout, "at least 0 and below 1")

    @property
    def minimum_size(self) -> int:
        """The shortest side that the model takes."""
        return 1

    def features(self, sample_shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the shape that enters the first linear layer: all of the sample, flattened.

        It is for `inspect`, which does not wait for torch; a test compares it with model.py.
        """
        return sample_shape


