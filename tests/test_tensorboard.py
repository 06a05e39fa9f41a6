"""One live TensorBoard compares all runs (lesson 8 of the notes), and no way out loses a scalar (lesson 5)."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from benchmarks.reliability.harness import free_port

from .conftest import environment, newest_run, run, start, wait_for


@contextmanager
def tensorboard(folder: Path) -> Iterator[str]:
    """Serve a folder; yield the server's address."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "tensorboard.main",
        "--logdir",
        str(folder),
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def ask(address: str, wanted: int) -> Any:
    """Return the answer of the server once it holds that many entries."""
    for _ in range(240):
        try:
            with urllib.request.urlopen(address, timeout=5) as response:
                answer = json.load(response)
            if len(answer) >= wanted:
                return answer
        except OSError:
            pass
        time.sleep(0.25)
    raise AssertionError(f"no answer from {address}")


def test_a_live_tensorboard_shows_every_run_side_by_side(digits: Path) -> None:
    for name, lr in (("small", "1e-4"), ("large", "1e-2")):
        run(digits, "train", "--epochs=2", f"--name={name}", f"--lr={lr}")
    run(digits, "train", "--epochs=3", "--name=large", "--lr=1e-2", "--resume=auto")  # a second event file
    expected = {f"{name}/{newest_run(digits, name).name}" for name in ("small", "large")}
    with tensorboard(digits / "runs") as address:
        assert set(ask(f"{address}/data/runs", 2)) == expected
        tags = ask(f"{address}/data/plugin/scalars/tags", 2)
        for name in expected:
            assert set(tags[name]) == {
                "loss/train", "loss/val", "accuracy/val", "macro_f1/val", "top_5_accuracy/val", "learning_rate",
                "samples_per_second", "best_val_loss",
            }  # fmt: skip
        (large,) = (name for name in expected if name.startswith("large"))
        points = ask(f"{address}/data/plugin/scalars/scalars?run={large.replace('/', '%2F')}&tag=loss%2Fval", 3)
        assert [step for _, step, _ in points] == [20, 40, 60]


def steps(folder: Path) -> list[int]:
    return [event.step for event in EventAccumulator(str(folder)).Reload().Scalars("loss/train")]


def test_an_exception_in_the_users_model_leaves_traceback_and_scalars(digits: Path) -> None:
    model = digits / "src/my_experiment/model.py"
    edited = model.read_text().replace(
        "        x = self.stages(x)",
        "        self.calls = getattr(self, 'calls', 0) + 1\n        1 / (60 - self.calls)\n        x = self.stages(x)",
    )
    model.write_text(edited)
    _, errors = run(digits, "train", code=1)
    assert "Traceback" in errors and "model.py" in errors
    last = errors.splitlines()[-1]
    assert last.startswith("error: ZeroDivisionError: division by zero; ") and "model.py:" in last
    folder = newest_run(digits)
    assert steps(folder) == [20, 40]  # 21 or 22 calls an epoch: the third one failed
    status = json.loads((folder / "status.json").read_text())
    assert (status["state"], status["exit_code"]) == ("failed", 1)


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are a POSIX feature")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_loses_no_scalar(digits: Path, name: str) -> None:
    process = start(digits, "train")
    lines = wait_for(process, "epoch  3/60")
    process.send_signal(getattr(signal, name))
    rest, _ = process.communicate(timeout=60)
    epochs = [line for line in [*lines, *rest.splitlines()] if line.startswith("epoch ")]
    assert process.returncode == {"SIGINT": -signal.SIGINT, "SIGTERM": 143}[name]
    assert steps(newest_run(digits)) == [20 * (i + 1) for i in range(len(epochs))]


@pytest.mark.parametrize("end", ["", "raise RuntimeError"])
def test_a_script_that_forgets_to_close_loses_no_scalar(digits: Path, end: str) -> None:
    """Nobody closes this trainer before the program ends, and its writer's thread gets no turn any more."""
    script = f"""
import sys
from pathlib import Path
from my_experiment.config import Settings
from my_experiment.experiment import Experiment
from my_experiment.run import Run
from my_experiment.signals import StopRequest

settings = Settings(epochs=2)
run = Run.create(settings)
run.begin()
trainer = Experiment(settings).trainer(run, StopRequest())
trainer.fit()
sys.setswitchinterval(1000)
trainer.logbook.writer.add_scalar("last", 1.0, 99)
{end}
"""
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=digits, env=environment(digits), capture_output=True, text=True, timeout=120
    )
    assert result.returncode == bool(end) and ("Traceback" in result.stderr) == bool(end), result.stderr
    events = EventAccumulator(str(newest_run(digits))).Reload()
    assert [event.step for event in events.Scalars("last")] == [99]
