"""Small real data, and the real command."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from {{ cookiecutter.__package }}.config import DataSettings, Settings

PROJECT = Path(__file__).parents[1]
Command = Callable[..., "subprocess.Popen[str]"]


def wait_for(process: "subprocess.Popen[str]", text: str) -> None:
    """Read the output of a command until a line begins with the text."""
    assert process.stdout and process.stderr
    if not any(line.startswith(text) for line in process.stdout):
        pytest.fail(f"it ended without {text!r}: {process.stderr.read()}")


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A tenth of the bundled data."""
    with np.load(PROJECT / "data" / "digits.npz") as arrays:
        np.savez(tmp_path / "digits.npz", **{name: arrays[name][::10] for name in arrays.files})
    return tmp_path / "digits.npz"


@pytest.fixture
def settings(tmp_path: Path, digits: Path) -> Settings:
    """Two short epochs, in a folder of the test's own."""
    return Settings(epochs=2, runs_dir=tmp_path / "runs", device="cpu", data=DataSettings(path=digits))


@pytest.fixture
def start(tmp_path: Path, digits: Path) -> Command:
    """Start the real command in the test's folder, on the small data; its output is text."""

    def run(command: str, *flags: str) -> "subprocess.Popen[str]":
        device = [] if command == "inspect" else ["--device=cpu"]
        return subprocess.Popen(
            [sys.executable, "-m", "{{ cookiecutter.__package }}", command, "--data.path=digits.npz", *device, *flags],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PROJECT / "src"), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run
