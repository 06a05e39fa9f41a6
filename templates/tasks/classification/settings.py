@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """Classification: one class per sample."""

    label_smoothing: float = 0.0
    """How much of each label is spread over all classes; 0.1 helps where labels are noisy. `val_loss` has it, too."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` lets samples of rare classes count for more in the losses, so that each class counts the same."""

    def __post_init__(self) -> None:
        require(0 <= self.label_smoothing < 1, "task.label_smoothing", self.label_smoothing, "at least 0 and below 1")


