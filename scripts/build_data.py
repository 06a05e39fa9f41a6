"""Builds the data that comes with a rendered project, the same bytes each time.

    python scripts/build_data.py [FOLDER]   # writes digits.npz, by default into the template's data folder

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998
(https://doi.org/10.24432/C50P49), CC BY 4.0; the 1,797 digits of its test set, as scikit-learn carries them.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

DATA = Path(__file__).parents[1] / "{{cookiecutter.project_slug}}" / "data"


def digits() -> dict[str, np.ndarray]:
    """Return the digits (N, 1, 8, 8), their classes (N,), their attributes (N, 4) and their values (N,)."""
    bunch = load_digits()
    y = bunch.target.astype(np.uint8)
    attributes = [y % 2 == 0, np.isin(y, [2, 3, 5, 7]), y >= 5, np.isin(y, [0, 4, 6, 8, 9])]
    return {
        "x": bunch.images.astype(np.uint8)[:, None],  # (N, 1, 8, 8), grey levels 0 to 16
        "y": y,
        "attributes": np.stack(attributes, axis=1).astype(np.uint8),  # even, prime, at least five, has a loop
        "value": y.astype(np.float32),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    np.savez(folder / "digits.npz", **digits())  # stored, not compressed: the bytes do not depend on a zlib
    print(f"wrote {folder / 'digits.npz'}")
