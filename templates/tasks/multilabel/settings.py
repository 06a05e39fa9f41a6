@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """Multilabel: any number of labels per sample."""

    threshold: float = 0.5
    """From which probability on a label is predicted."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` lets the rarer answer to each label, yes or no, count for more in the loss; in `val_loss`, too."""

    def __post_init__(self) -> None:
        require(0 < self.threshold < 1, "task.threshold", self.threshold, "above 0 and below 1")


