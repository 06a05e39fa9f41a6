"""Samples that stay in their files: as fast as those in memory, and hardly any memory."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from .conftest import Render, newest_run, run, start, wait_for

SIDE = 64  # a sample has 4 KiB


def write(folder: Path, gibibytes: float) -> None:
    """Write so much noise, of two kinds, as a folder of .npy files."""
    folder.mkdir()
    count, generator = int(gibibytes * 2**30 / SIDE**2), np.random.default_rng(0)
    y = np.arange(count) % 2
    x = np.lib.format.open_memmap(folder / "x.npy", mode="w+", dtype=np.uint8, shape=(count, 1, SIDE, SIDE))
    noise = generator.integers(0, 200, (1024, 1, SIDE, SIDE), dtype=np.uint8)
    for begin in range(0, count, 1024):
        x[begin : begin + 1024] = noise[: count - begin] + 50 * y[begin : begin + 1024, None, None, None]
    x.flush()
    np.save(folder / "y.npy", y)


@pytest.mark.skipif(os.name != "posix", reason="files are mapped as POSIX does")
def test_a_file_that_shrinks_ends_the_process_and_nothing_is_lost(render: Render) -> None:
    project = render(model="mlp")
    write(project / "large", 0.02)
    command = ("train", "--data.path=large", "--data.resident=no", "--epochs=2000", "--patience=0")
    process = start(project, *command)
    wait_for(process, "epoch    2/2000")
    path = project / "large/x.npy"
    content = path.read_bytes()
    os.truncate(path, len(content) // 2)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGBUS
    _, errors = run(project, *command, "--resume=auto", code=5)
    assert (
        errors == "error: the data has changed since the run began; large; put the old data back, or start a new run\n"
    )
    path.write_bytes(content)
    process = start(project, *command, "--resume=auto")
    assert any(line.startswith("resumed after step ") for line in wait_for(process, "epoch    4/2000"))
    process.kill()
    process.communicate()


def peak(process: "subprocess.Popen[str]") -> float:
    """Return how much memory that belongs to no file a process takes at most (MiB), once it has ended."""
    most = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        most = max(most, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")), 0)
        time.sleep(0.05)
    return most / 2**10


SMALL_MACHINE = """
import sys
from my_experiment import arrays
from my_experiment.cli import main
arrays.free_memory = lambda: 2**28
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells what memory belongs to no file")
def test_predictions_take_far_less_memory_than_the_samples(render: Render) -> None:
    """They stay; of the batches of samples, nothing does."""
    project = render(model="mlp")
    write(project / "large", 0.25)
    run(project, "train", "--data.path=large", "--data.resident=no", "--epochs=1")
    arguments = ("predict", str(newest_run(project)), "--out=out.npz")
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    command = [sys.executable, "-c", SMALL_MACHINE, *arguments]
    process = subprocess.Popen(command, cwd=project, env=environment, text=True)
    assert 0 < peak(process) < 500 and process.returncode == 0  # as floats, the samples take a GiB


@pytest.mark.matrix
@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells what memory belongs to no file")
def test_six_gigabytes_need_less_than_one_of_memory(render: Render) -> None:
    """The pages of a mapped file do not count: the system takes them back when it needs them."""
    project = render(model="mlp")
    write(project / "large", 6)
    process = start(project, "train", "--data.path=large", "--data.resident=no", "--epochs=1")
    most = peak(process)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "read from the files batch by batch" in output and "test accuracy 1.0000" in output
    print(f"6 GiB of samples: at most {most:.0f} MiB of anonymous memory")
    assert 0 < most < 10**9 / 2**20


@pytest.mark.alone
@pytest.mark.matrix
@pytest.mark.parametrize(("model", "gibibytes"), [("mlp", 0.1), ("cnn", 0.003)])
def test_an_epoch_from_files_takes_hardly_longer(render: Render, model: str, gibibytes: float) -> None:
    """Seven pairs, by turns, of the fastest of three epochs, of files that the system keeps in memory."""
    project = render(model=model)
    write(project / "large", gibibytes)
    ratios = []
    for trial in range(7):
        seconds = {}
        for resident in ("yes", "no"):
            name = f"{resident}-{trial}"
            run(project, "train", "--data.path=large", f"--data.resident={resident}", "--epochs=4", f"--name={name}")
            lines = (newest_run(project, name) / "metrics.jsonl").read_text().splitlines()
            seconds[resident] = min(json.loads(line)["seconds"] for line in lines[1:])
        ratios.append(seconds["no"] / seconds["yes"])
    print(f"{model}: an epoch from files / from memory: median {statistics.median(ratios):.2f} of {sorted(ratios)}")
    assert statistics.median(ratios) <= 1.15
