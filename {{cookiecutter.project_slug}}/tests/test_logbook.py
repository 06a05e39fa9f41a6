"""A run tells the same to people, to programs and to TensorBoard (lessons 6 and 8 of the notes)."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from {{ cookiecutter.__package }}.errors import RefusedError
from {{ cookiecutter.__package }}.logbook import Logbook, cut_back, tag


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder)).Reload()
    return {name: [(e.step, round(e.value, 5)) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def numbers(epoch: int) -> dict[str, float]:
    return {"epoch": epoch, "step": epoch * 10, "train_loss": 1 / epoch, "val_accuracy": 0.5, "seconds": 3.0}


def test_an_epoch_reaches_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logbook = Logbook(tmp_path)
    logbook.epoch("epoch 1", numbers(1), improved=True)
    logbook.epoch("epoch 2", numbers(2), improved=False)
    logbook.close()
    logbook.close()  # again is fine
    assert scalars(tmp_path) == {"loss/train": [(10, 1.0), (20, 0.5)], "accuracy/val": [(10, 0.5), (20, 0.5)]}
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [numbers(1), numbers(2)]
    assert (tmp_path / "train.log").read_text() == "epoch 1\nepoch 2\n"
    assert capsys.readouterr().out == "epoch 1\nepoch 2\n"  # no colours, no bar: this is no terminal


class Tee:
    """What programs put in the place of stdout, to keep it."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_stdout_may_be_anything_that_takes_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Tee())
    logbook = Logbook(tmp_path)
    logbook.epoch("epoch 1", numbers(1), improved=True)
    assert sys.stdout.text == "epoch 1\n"
    logbook.close()


def test_a_number_may_be_a_tensor(tmp_path: Path) -> None:
    """As the norm of a gradient is, which somebody adds to what is logged."""
    logbook = Logbook(tmp_path)
    logbook.epoch("epoch 1", {**numbers(1), "norm": torch.tensor(0.5), "mean": np.float32(2)}, improved=True)
    logbook.close()
    line = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert line == {**numbers(1), "norm": 0.5, "mean": 2.0} and isinstance(line["step"], int)


def test_names_that_no_text_has_reach_tensorboard(tmp_path: Path) -> None:
    """Of a folder, say, that another system has named."""
    logbook = Logbook(tmp_path)
    logbook.hyperparameters({"data.path": "caf\udce9/mine.npz", "lr": 0.1}, ["val_loss"])
    logbook.close()
    (events,) = tmp_path.glob("events*")
    assert rb"caf\udce9/mine.npz" in events.read_bytes()


def test_a_resumed_run_drops_what_lies_beyond_its_checkpoint(tmp_path: Path) -> None:
    first = Logbook(tmp_path)
    for epoch in (1, 2, 3):
        first.epoch(f"epoch {epoch}", numbers(epoch), improved=False)
    first.close()
    resumed = Logbook(tmp_path, step=20)
    resumed.epoch("epoch 3 again", numbers(3) | {"train_loss": 9.0}, improved=False)
    resumed.close()
    assert scalars(tmp_path)["loss/train"] == [(10, 1.0), (20, 0.5), (30, 9.0)]
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [10, 20, 30]


def test_a_clock_that_goes_back_between_two_starts_loses_no_curve(tmp_path: Path) -> None:
    """TensorBoard reads the files in the order of their names, and a later start drops what lies beyond its step."""
    for epoch in (1, 2, 3):
        logbook = Logbook(tmp_path, step=10 * epoch - 10)
        logbook.epoch(f"epoch {epoch}", numbers(epoch), improved=False)
        logbook.close()
        if epoch < 3:  # the clock was an hour ahead, and then two
            path = max(tmp_path.glob("events*"), key=lambda path: path.stat().st_mtime_ns)
            second = path.name.split(".")[3]
            path.rename(path.with_name(path.name.replace(second, f"{int(second) + 3600 * (3 - epoch):010}")))
    assert scalars(tmp_path)["loss/train"] == [(10, 1.0), (20, 0.5), (30, pytest.approx(1 / 3, abs=1e-5))]


def test_a_file_of_curves_that_somebody_has_renamed_is_left_alone(tmp_path: Path) -> None:
    copy = tmp_path / "events.out.tfevents.1796043461 (1).host.1.0"
    copy.touch()
    Logbook(tmp_path).close()
    assert copy.exists()


def test_no_two_starts_of_a_run_have_the_same_second(tmp_path: Path) -> None:
    """Or TensorBoard could read the second file first, and miss what it takes for dropped."""
    for _ in range(3):
        Logbook(tmp_path).close()
    seconds = {path.name.split(".")[3] for path in tmp_path.glob("events*")}
    assert len(seconds) == 3


def test_training_goes_on_without_tensorboard(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    resource = pytest.importorskip("resource", reason="file size limits are a POSIX feature")
    logbook = Logbook(tmp_path)
    logbook.epoch("epoch 1", numbers(1), improved=False)
    (events,) = tmp_path.glob("events*")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (events.stat().st_size + 100, hard))
        for epoch in (2, 3):
            logbook.epoch(f"epoch {epoch}", {"step": epoch} | {str(n): 0.0 for n in range(10)}, improved=False)
        logbook.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 3
    output, errors = capfd.readouterr()
    said = "TensorBoard's file cannot be written (File too large): metrics.jsonl has the numbers"
    assert output.splitlines().count(said) == 1 and errors == ""


def test_an_unfinished_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 10}\n{"step": 2')
    cut_back(path, 50)
    assert path.read_text() == '{"step": 10}\n'


def test_tags_put_together_what_belongs_together() -> None:
    assert [tag(name) for name in ("train_loss", "val_loss", "val_macro_f1", "learning_rate", "gpu/memory")] == [
        "loss/train",
        "loss/val",
        "macro_f1/val",
        "learning_rate",
        "gpu/memory",
    ]


@pytest.mark.parametrize("line", ["\n", "[]\n", '{"epoch": 2}\n', "null\n"])
def test_a_line_of_somebody_else_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 10}\n' + line)
    with pytest.raises(RefusedError, match=r"the file is damaged \(.*, after 13 bytes; repair the line, or"):
        cut_back(path, 50)
    assert path.read_text() == '{"step": 10}\n' + line
