@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """Segmentation: a class at each position of a sample."""

    ignore_index: int = 255
    """The value in masks that means `unknown`: such positions count neither in the loss nor in the metrics."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` lets rare classes count for more in the losses, so that each class counts the same."""


