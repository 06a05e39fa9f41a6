@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """A convolutional network."""

    width: int = 32
    """Channels of the first stage; each further stage has twice as many. Multiples of 16 are the fastest."""
    depth: int = 2
    """Stages; each halves the sample, so samples with a side below 2 ** depth are enlarged to it."""
    hidden_size: int = 128
    """Outputs of the first linear layer."""
    dropout: float = 0.3
    """How much of the hidden layer is left out at random while training; more of it against overfitting."""
    in_size: Optional[int] = None
    """Features that enter the first linear layer. Left out, they are measured from the convolutions."""

    def __post_init__(self) -> None:
        for name, most in (("width", 2**16), ("depth", 8), ("hidden_size", 2**16)):
            require(1 <= getattr(self, name) <= most, f"model.{name}", getattr(self, name), f"1 to {most}")
        require(0 <= self.dropout < 1, "model.dropout", self.dropout, "at least 0 and below 1")

    @property
    def minimum_size(self) -> int:
        """The shortest side that the model takes."""
        return 2**self.depth

    def outline(self, sample_shape: tuple[int, ...]) -> str | None:
        """Tell `inspect` by arithmetic what becomes of a sample; None if build_model would refuse it."""
        if len(sample_shape) not in (2, 3, 4) or min(sample_shape[1:]) < self.minimum_size:
            return None
        features = [self.width * 2 ** (self.depth - 1), *(side // 2**self.depth for side in sample_shape[1:])]
        if self.in_size not in (None, math.prod(features)):
            return None
        large = "; it has most weights: --data.resize makes it smaller" if math.prod(features) > 2**16 else ""
        return f"in_size {math.prod(features)} = {' x '.join(map(str, features))}, into the first linear layer{large}"


