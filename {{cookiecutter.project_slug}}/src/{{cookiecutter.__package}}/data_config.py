"""Settings of the data: where it is, how it is split, and how samples are varied."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .errors import require


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Which arrays to learn from, and how to split them where the file does not."""

    path: Path = Path("data/{{ cookiecutter.__data }}.npz")
    """An .npz file, or a folder of .npy files. It holds x and y, or x_train, y_train, x_val, y_val, x_test, y_test."""
    x: str = "x"
    """The name of the samples (`features` also finds features_train)."""
    y: str = "y"
    """The name of the targets."""
    resident: Literal["auto", "yes", "no"] = "auto"
    """`yes`: samples in memory; `no`: batches are read from .npy files; `auto`: in memory if half of it is enough."""
    channels: Literal["auto", "first", "last", "none"] = "auto"
    """Where a sample has its channels. `auto` accepts what is unambiguous and asks about the rest."""
    resize: str = "none"
    """Resize samples on the device: 64 makes every side 64 long; or 48x64. Masks and images to learn keep theirs."""
    normalise: bool = True
    """Give each channel mean 0 and standard deviation 1, by those of the training split."""
    groups: str = "groups"
    """The name of an array (N,), if there is one, whose equal values stay in one split: a patient, a subject, a day."""
    split: Literal["random", "ordered"] = "random"
    """`random` (classes in the same proportions), or `ordered`: the last samples are kept for val and test (time)."""
    val_share: float = 0.15
    """How much of the samples is kept for the validation, if the file does not say which."""
    test_share: float = 0.15
    """How much is kept for the test, then."""
    split_seed: int = 0
    """Decides who is in train, val and test. Apart from --seed, so that several seeds share one test split."""

    def __post_init__(self) -> None:
        require(self.split_seed >= 0, "data.split_seed", self.split_seed, "0 or more")
        for name, rest in (("val_share", 1.0), ("test_share", round(1 - self.val_share, 9))):
            require(0 < getattr(self, name) < rest, f"data.{name}", getattr(self, name), f"above 0 and below {rest:g}")
        fits = re.fullmatch(r"none|[1-9]\d{,4}(x[1-9]\d{,4})*", self.resize)
        require(bool(fits), "data.resize", self.resize, "none, 64 (every side), or sides such as 48x64")


@dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """How training samples are varied at random. All off: only you know what leaves their meaning as it is."""

    flip: Literal["none", "horizontal", "all"] = "none"
    """Mirror half of the samples, drawn at random, along their last axis (`horizontal`), or along each axis (`all`)."""
    shift: int = 0
    """Move samples by up to this many positions along each axis; what is missing at an edge is its mirror image."""
    noise: float = 0.0
    """Add Gaussian noise of this standard deviation; that of the samples is 1, once they are normalised."""

    def __post_init__(self) -> None:
        require(self.shift >= 0, "augment.shift", self.shift, "0 or more")
        require(0 <= self.noise <= 1000, "augment.noise", self.noise, "0 to 1000")
