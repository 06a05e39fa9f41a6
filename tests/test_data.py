"""The bundled digits are the real ones, and their file is the same each time it is built."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from .conftest import ROOT

DIGITS = ROOT / "{{cookiecutter.project_slug}}" / "data" / "digits.npz"


def test_the_script_gives_the_committed_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "scripts/build_data.py", str(tmp_path)], cwd=ROOT, check=True)
    assert (tmp_path / "digits.npz").read_bytes() == DIGITS.read_bytes()
    assert DIGITS.stat().st_size < 1_000_000


def test_the_digits_are_the_real_ones() -> None:
    source = load_digits()
    with np.load(DIGITS) as arrays:
        assert np.array_equal(arrays["x"][:, 0], source.images) and arrays["x"].dtype == np.uint8
        assert np.array_equal(arrays["y"], source.target) and len(arrays["y"]) == 1797
        assert np.array_equal(arrays["value"], source.target) and arrays["value"].dtype == np.float32
        even, prime, large, loop = arrays["attributes"].T
        by_digit = [(even[i], prime[i], large[i], loop[i]) for i in (list(source.target).index(d) for d in range(10))]
    assert by_digit == [
        (1, 0, 0, 1), (0, 0, 0, 0), (1, 1, 0, 0), (0, 1, 0, 0), (1, 0, 0, 1),
        (0, 1, 1, 0), (1, 0, 1, 1), (0, 1, 1, 0), (1, 0, 1, 1), (0, 0, 1, 1),
    ]  # fmt: skip
