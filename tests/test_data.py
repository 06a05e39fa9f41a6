"""The bundled data is real, and its files are the same each time they are built."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from hooks.answers import MODELS

from .conftest import ROOT

DATA = ROOT / "{{cookiecutter.project_slug}}" / "data"


def bundled(task: str) -> Path:
    """Return the file of a task, whose name in the template is a condition."""
    (path,) = (path for path in DATA.iterdir() if f"== '{task}'" in path.name)
    return path


def arrays(task: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(bundled(task)) as file:
        assert sorted(file.files) == ["x", "y"]
        return file["x"], file["y"]


def test_the_script_gives_the_committed_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "scripts/build_data.py", str(tmp_path)], cwd=ROOT, check=True)
    for task in MODELS:
        assert (tmp_path / f"{task}.npz").read_bytes() == bundled(task).read_bytes()
        assert bundled(task).stat().st_size < 1_000_000


def test_the_digits_are_the_real_ones() -> None:
    source = load_digits()
    x, y = arrays("classification")
    assert np.array_equal(x[:, 0], source.images) and x.dtype == np.uint8
    assert np.array_equal(y, source.target) and len(y) == 1797
    x, value = arrays("regression")
    assert np.array_equal(x[:, 0], source.images)
    assert np.array_equal(value, source.target) and value.dtype == np.float32
    x, attributes = arrays("multilabel")
    assert np.array_equal(x[:, 0], source.images)
    even, prime, large, loop = attributes.T
    by_digit = [(even[i], prime[i], large[i], loop[i]) for i in (list(source.target).index(d) for d in range(10))]
    assert by_digit == [
        (1, 0, 0, 1), (0, 0, 0, 0), (1, 1, 0, 0), (0, 1, 0, 0), (1, 0, 0, 1),
        (0, 1, 1, 0), (1, 0, 1, 1), (0, 1, 1, 0), (1, 0, 1, 1), (0, 0, 1, 1),
    ]  # fmt: skip


def test_the_scenes_are_made_of_digits_of_which_none_is_used_twice() -> None:
    source = load_digits()
    x, masks = arrays("segmentation")
    noisy, clean = arrays("image_to_image")
    assert np.array_equal(x, noisy) and x.shape == clean.shape == (449, 1, 32, 32) and masks.shape == (449, 32, 32)
    assert np.array_equal(masks > 0, clean[:, 0] >= 6 * 15)  # a mask is where a digit is dark enough
    known = {(image * 15).astype(np.uint8).tobytes(): digit for image, digit in zip(*digits(source), strict=True)}
    seen = []
    for canvas, mask in zip(clean[:, 0], masks, strict=True):
        for row, column in np.argwhere(np.ones((25, 25))):
            window = canvas[row : row + 8, column : column + 8].tobytes()
            if known.get(window, 10) + 1 in np.unique(mask[row : row + 8, column : column + 8]):
                seen.append(window)
    assert len(set(seen)) == len(seen) and len(seen) > 1700  # of 1,796; a neighbour reaches into a few windows
    noise = x.astype(float) - clean
    assert noise[clean > 100].std() == pytest.approx(50, rel=0.2)


def digits(source: object) -> tuple[np.ndarray, np.ndarray]:
    return source.images, source.target  # type: ignore[attr-defined]
