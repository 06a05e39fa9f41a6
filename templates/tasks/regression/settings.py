@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """Regression: one or several numbers per sample."""

    loss: Literal["mse", "mae", "huber"] = "mse"
    """`mae` and `huber` care less about outliers than the mean squared error; all are taken of standardised targets."""


