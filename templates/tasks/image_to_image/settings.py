@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """Image to image: numbers at each position of a sample, such as the sample without its noise."""

    loss: Literal["mse", "mae"] = "mse"
    """The mean squared error gives the best PSNR; the mean absolute error cares less about outliers, and blurs less."""


