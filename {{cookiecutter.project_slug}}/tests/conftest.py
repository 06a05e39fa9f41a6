"""Small real data, small models, and the real command."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from {{ cookiecutter.__package }}.cli import main
from {{ cookiecutter.__package }}.config import ModelSettings, Settings
from {{ cookiecutter.__package }}.data_config import DataSettings

from .example import bundled

PROJECT = Path(__file__).parents[1]
Command = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., tuple[int, str, str]]
STARTED: "list[subprocess.Popen[str]]" = []
# Very wide layers are made narrow: what is tested with them does not depend on their width.
NARROW = {field.name: 256 for field in fields(ModelSettings) if isinstance(field.default, int) and field.default > 1000}
NARROW_FLAGS = [f"--model.{name.replace('_', '-')}={size}" for name, size in NARROW.items()]
# The commands that tests start find this project, and whatever these tests find, without an installation.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PROJECT / "src"), os.environ.get("PYTHONPATH")]))


def wait_for(process: "subprocess.Popen[str]", text: str) -> None:
    """Read the output of a command until a line begins with the text."""
    assert process.stdout and process.stderr
    if not any(line.startswith(text) for line in process.stdout):
        pytest.fail(f"it ended without {text!r}: {process.stderr.read()}")


def newest(folder: Path) -> Path:
    """Return the run directory that was made last."""
    return max((folder / "runs").glob("*/*"), key=lambda run: run.stat().st_mtime_ns)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """180 samples of the bundled data."""
    np.savez(tmp_path / "small.npz", **bundled())  # type: ignore[arg-type]
    return tmp_path / "small.npz"


@pytest.fixture
def settings(tmp_path: Path, small: Path) -> Settings:
    """Two short epochs, in a folder of the test's own."""
    data, model = DataSettings(path=small), ModelSettings(**NARROW)
    return Settings(epochs=2, batch_size=64, runs_dir=tmp_path / "runs", device="cpu", data=data, model=model)


def learn(folder: Path, *flags: str, **arrays: np.ndarray) -> Path:
    """Train on the arrays by the real command; return the run directory."""
    np.savez(folder / "mine.npz", **arrays)  # type: ignore[arg-type]
    common = [f"--data.path={folder / 'mine.npz'}", f"--runs-dir={folder / 'runs'}", "--device=cpu", *NARROW_FLAGS]
    assert main(["train", *common, *flags]) == 0
    return newest(folder)


def predict(run: Path, out: Path) -> Path:
    """Predict the samples that a run learned from, and others of the same file, by the real command."""
    assert main(["predict", str(run), "--device=cpu", f"--out={out}"]) == 0
    return out


def on_small_data(command: str, *flags: str) -> list[str]:
    """Return the arguments of a command that works in a folder with the small data."""
    common = {"inspect": [], "train": ["--device=cpu", "--batch-size=64", *NARROW_FLAGS]}.get(command, ["--device=cpu"])
    return [command, "--data.path=small.npz", *common, *flags]


def launch(folder: Path, *command: str, **variables: str) -> "subprocess.Popen[str]":
    """Start the real command in a folder, on the small data in it; its output is text."""
    process = subprocess.Popen(
        [sys.executable, "-m", "{{ cookiecutter.__package }}", *on_small_data(*command)],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    STARTED.append(process)
    return process


@pytest.fixture(autouse=True)
def nothing_goes_on_training() -> Iterator[None]:
    """End what a test has started, should it have failed before it did."""
    yield
    while STARTED:
        STARTED.pop().kill()


@pytest.fixture
def start(tmp_path: Path, small: Path) -> Command:
    """Start the real command in the test's folder."""
    return lambda *command, **variables: launch(tmp_path, *command, **variables)


@pytest.fixture
def run(tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in the test's folder, but within this process, where torch is loaded; return code and output."""
    monkeypatch.chdir(tmp_path)

    def wait(*command: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(on_small_data(*command))
        return code, *capsys.readouterr()

    return wait


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small data and one run of two epochs, for tests that leave them as they are."""
    folder = tmp_path_factory.mktemp("finished")
    np.savez(folder / "small.npz", **bundled())  # type: ignore[arg-type]
    _, errors = launch(folder, "train", "--epochs=2").communicate()
    assert errors == ""
    return folder


@pytest.fixture
def trained(finished: Path, tmp_path: Path) -> Path:
    """The directory of such a run, in the test's own folder."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return newest(tmp_path)
