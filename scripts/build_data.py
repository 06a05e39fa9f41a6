"""Builds the data that comes with a rendered project, the same bytes each time.

    python scripts/build_data.py [FOLDER]   # writes <task>.npz, by default over the files of the template

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998
(https://doi.org/10.24432/C50P49), CC BY 4.0; the 1,797 digits of its test set, as scikit-learn carries them.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

DATA = Path(__file__).parents[1] / "{{cookiecutter.project_slug}}" / "data"
SIDE, DIGITS = 32, 4  # of a scene; 449 scenes use each digit but one once, so that no digit is in two splits
NOISE = 50.0  # standard deviation, in grey levels of 255


def digits() -> dict[str, dict[str, np.ndarray]]:
    """Return, for each task, the digits (N, 1, 8, 8) and what is to be learned of them: (N,), (N, 4), (N,)."""
    bunch = load_digits()
    x = bunch.images.astype(np.uint8)[:, None]  # grey levels 0 to 16
    y = bunch.target.astype(np.uint8)
    attributes = [y % 2 == 0, np.isin(y, [2, 3, 5, 7]), y >= 5, np.isin(y, [0, 4, 6, 8, 9])]
    return {
        "classification": {"x": x, "y": y},
        "multilabel": {"x": x, "y": np.stack(attributes, axis=1).astype(np.uint8)},  # even, prime, large, with a loop
        "regression": {"x": x, "y": y.astype(np.float32)},
    }


def scenes() -> dict[str, dict[str, np.ndarray]]:
    """Return, for each task, noisy canvases (N, 1, 32, 32), and their masks (N, 32, 32) or clean selves (N, 1, 32, 32).

    A mask is 0 in the background, and on a digit its value plus one.
    """
    bunch = load_digits()
    generator = np.random.default_rng(0)
    order = generator.permutation(len(bunch.images))
    count = len(order) // DIGITS
    clean, masks = np.zeros((2, count, SIDE, SIDE), np.uint8)
    for scene, chosen in enumerate(order[: count * DIGITS].reshape(count, DIGITS)):
        corners: list[np.ndarray] = []
        while len(corners) < DIGITS:
            corner = generator.integers(0, SIDE - 8 + 1, 2)
            if all(np.abs(corner - other).max() >= 8 for other in corners):  # no digit covers another
                corners.append(corner)
        for digit, (row, column) in zip(chosen, corners, strict=True):
            place = scene, slice(row, row + 8), slice(column, column + 8)
            clean[place] = bunch.images[digit] * 15
            masks[place] = (bunch.images[digit] >= 6) * (bunch.target[digit] + 1)
    noisy = clean + generator.normal(0, NOISE, clean.shape)
    x = noisy.round().clip(0, 255).astype(np.uint8)[:, None]
    return {"segmentation": {"x": x, "y": masks}, "image_to_image": {"x": x, "y": clean[:, None]}}


if __name__ == "__main__":
    for name, builder in (("digits", digits), ("scenes", scenes)):
        for task, arrays in builder().items():
            path = DATA / f"{{% if cookiecutter.task == '{task}' %}}{name}.npz{{% endif %}}"
            if len(sys.argv) > 1:
                path = Path(sys.argv[1]) / f"{task}.npz"
            with path.open("wb") as file:
                # Stored, not compressed: the bytes do not depend on a zlib.
                np.savez(file, **arrays)  # type: ignore[arg-type]
            print(f"wrote {path}")
