"""Small data for the tests, as this task takes it."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).parents[1] / "data"


def bundled() -> dict[str, np.ndarray]:
    """Return 180 samples of the data that comes with the project."""
    with np.load(DATA / "digits.npz") as arrays:
        return {name: arrays[name][::10] for name in arrays.files}


def targets(count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return targets for so many samples of this shape (C, ...); two numbers that rise."""
    return np.stack([np.arange(count), 10.0 * np.arange(count) ** 2], axis=1)
