@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """A residual network."""

    stem: Literal["small", "large"] = "small"
    """`small` has three stages, for up to some 64 positions a side; `large` has four, and divides sides by 32."""
    depth: int = 20
    """Layers with weights: 6n + 2 (20, 32, 44, 56, ...) with the small stem; 18, 34, 50, 101 or 152 with the large."""
    width: int = 16
    """Channels of the first stage; each further one has twice as many. The paper has 16, and 64 with the large stem."""

    def __post_init__(self) -> None:
        # With 1 to 6, strided 1-wide convolutions of torch 2.13 damage the memory, seen on a CPU with AVX2.
        require(8 <= self.width <= 2**12, "model.width", self.width, f"8 to {2**12}")
        small = self.stem == "small"
        fits = self.depth % 6 == 2 and 8 <= self.depth <= 1202 if small else self.depth in (18, 34, 50, 101, 152)
        rule = "18, 34, 50, 101 or 152 with --model.stem large"
        rule = f"6n + 2 (8, 14, 20, ...), or {rule}" if small else rule
        require(fits, "model.depth", self.depth, rule)

    @property
    def minimum_size(self) -> int:
        """The shortest side that the model takes: the last stage has two positions, which its norm needs."""
        return 5 if self.stem == "small" else 33

    def outline(self, sample_shape: tuple[int, ...]) -> str | None:
        """Tell `inspect` by arithmetic what becomes of a sample; None if build_model would refuse it."""
        if len(sample_shape) not in (2, 3, 4):
            return None
        divisor = 4 if self.stem == "small" else 32
        positions = " x ".join(str(-(-side // divisor)) for side in sample_shape[1:])
        channels = self.width * (4 if self.stem == "small" else 8 if self.depth < 50 else 32)
        return f"{positions} positions in the last stage; the means of its {channels} channels enter the linear layer"


