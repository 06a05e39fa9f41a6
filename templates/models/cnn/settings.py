@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """A convolutional network."""

    width: int = 32
    """Channels of the first stage; each further stage has twice as many."""
    depth: int = 2
    """Stages; each halves the sample, so the smallest side must be at least 2 ** depth."""
    hidden_size: int = 128
    """Outputs of the first linear layer."""
    dropout: float = 0.3
    """How much of the hidden layer is left out at random while training; more of it against overfitting."""
    in_size: int | None = None
    """Features that enter the first linear layer. Left out, they are measured from the convolutions."""

    def __post_init__(self) -> None:
        for name in ("width", "depth", "hidden_size"):
            require(getattr(self, name) >= 1, f"model.{name}", getattr(self, name), "at least 1")
        require(0 <= self.dropout < 1, "model.dropout", self.dropout, "at least 0 and below 1")


