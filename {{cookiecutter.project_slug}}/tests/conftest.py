"""Small real data, and the real command."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from {{ cookiecutter.__package }}.cli import main
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.data_config import DataSettings

from .example import bundled

PROJECT = Path(__file__).parents[1]
Command = Callable[..., "subprocess.Popen[str]"]


def wait_for(process: "subprocess.Popen[str]", text: str) -> None:
    """Read the output of a command until a line begins with the text."""
    assert process.stdout and process.stderr
    if not any(line.startswith(text) for line in process.stdout):
        pytest.fail(f"it ended without {text!r}: {process.stderr.read()}")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """180 samples of the bundled data."""
    np.savez(tmp_path / "small.npz", **bundled())  # type: ignore[arg-type]
    return tmp_path / "small.npz"


@pytest.fixture
def settings(tmp_path: Path, small: Path) -> Settings:
    """Two short epochs, in a folder of the test's own."""
    return Settings(epochs=2, batch_size=64, runs_dir=tmp_path / "runs", device="cpu", data=DataSettings(path=small))


def learn(folder: Path, *flags: str, **arrays: np.ndarray) -> Path:
    """Train on the arrays by the real command; return the run directory."""
    np.savez(folder / "mine.npz", **arrays)  # type: ignore[arg-type]
    common = [f"--data.path={folder / 'mine.npz'}", f"--runs-dir={folder / 'runs'}", "--device=cpu"]
    assert main(["train", *common, *flags]) == 0
    return max((folder / "runs").glob("*/*"), key=lambda run: run.stat().st_mtime_ns)


def predict(run: Path, out: Path) -> Path:
    """Predict the samples that a run learned from, and others of the same file, by the real command."""
    assert main(["predict", str(run), "--device=cpu", f"--out={out}"]) == 0
    return out


@pytest.fixture
def start(tmp_path: Path, small: Path) -> Command:
    """Start the real command in the test's folder, on the small data; its output is text."""

    def run(command: str, *flags: str, **variables: str) -> "subprocess.Popen[str]":
        common = {"inspect": [], "train": ["--device=cpu", "--batch-size=64"]}.get(command, ["--device=cpu"])
        return subprocess.Popen(
            [sys.executable, "-m", "{{ cookiecutter.__package }}", command, "--data.path=small.npz", *common, *flags],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PROJECT / "src"), "PYTHONUNBUFFERED": "1", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run
