"""The real commands, from end to end."""

import errno
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from {{ cookiecutter.__package }}.checkpoint import load_checkpoint
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.errors import StorageError
from {{ cookiecutter.__package }}.inference import Trained
from {{ cookiecutter.__package }}.signals import STOP_SIGNALS, StopRequest
from {{ cookiecutter.__package }}.trainer import Trainer

from .conftest import PROJECT, Command, Run, launch, newest, on_small_data, wait_for
from .example import targets
from .test_architecture import DENSE, TAKEN, TOO_LARGE

PYTHON = shlex.quote(sys.executable)
FILES = {
    ".lock", ".look", "capsule.json", "checkpoints/best.pt", "checkpoints/last.pt", "checkpoints/previous.pt",
    "config.yaml", "evaluation.json", "metrics.jsonl", "status.json", "train.log",
}  # fmt: skip


def test_train_leaves_a_complete_run(start: Command, tmp_path: Path) -> None:
    process = start("train", "--epochs=2")
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    run = newest(tmp_path)
    files = {str(file.relative_to(run)) for file in run.rglob("*") if file.is_file()}
    events = {name for name in files if name.startswith("events.out.tfevents")}
    assert files - events == FILES and len(events) == 1
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2] and [line["step"] for line in lines] == [2, 4]
    assert lines[0].keys() >= {"train_loss", "val_loss", "learning_rate", "seconds", "samples_per_second"}
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert evaluation["split"] == "test" and evaluation["samples"] == 27 and evaluation["loss"] > 0
    capsule = json.loads((run / "capsule.json").read_text())
    assert capsule["exact"] and len(capsule["data_sha256"]) == 64 and capsule["versions"]["torch"] == torch.__version__
    # Without a terminal there are plain lines only: no bar, no colours.
    assert "\r" not in output and "\x1b" not in output
    assert re.search(
        r"^epoch 2/2  train_loss \d\.\d{4}  val_loss \d\.\d{4}  val_\w+ -?\d+\.\d{4}  best \d\.\d{4}  patience \d/"
        rf"{Settings().patience}  [\d,]+ samples/s$",
        output,
        re.MULTILINE,
    )


def test_fast_dev_run_tries_every_phase_and_leaves_nothing_behind(
    start: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where it works
    before = set(tmp_path.rglob("*"))
    process = start("train", "--fast-dev-run", "--batch-size=16")
    output, _ = process.communicate()
    left = {path for path in tmp_path.rglob("*") if not path.name.startswith("torchinductor")}  # torch's own cache
    assert process.returncode == 0 and left == before
    for part in ("16 train, 16 val, 16 test", "epoch 1/1", "test ", "on one batch"):
        assert part in output


@pytest.mark.parametrize("shape", [(5,), (2, 16), (3, 8, 8), (1, 4, 8, 8)])
def test_tables_signals_images_and_volumes_train_or_are_refused(
    run: Run, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    """With a last batch of one sample. Which shapes the model takes, the test of the model says."""
    np.savez(tmp_path / "mine.npz", x=np.random.default_rng(0).normal(size=(60, *shape)), y=targets(60, shape))
    flags = ["--data.path=mine.npz", "--data.channels=first"]
    code, _, errors = run("train", *flags, "--epochs=2", "--batch-size=41")
    assert (code, errors) == run("inspect", *flags)[::2]
    assert code == (0 if len(shape) in map(len, TAKEN) else 2)
    if code:
        assert len(errors.splitlines()) == 1 and errors.count("; ") >= 2


def test_the_log_says_that_groups_stay_together(run: Run, small: Path) -> None:
    line = "\n        cut so that samples that are equal in 'groups' stay together\n"
    with np.load(small) as arrays:
        arrays = dict(arrays)
    for groups in ({}, {"groups": np.arange(180) // 5}):
        np.savez(small, **arrays, **groups)
        assert (line in run("train", "--epochs=1")[1]) == bool(groups)


def test_an_edited_model_is_not_resumed(run: Run, trained: Path) -> None:
    """Nor does the attempt change the run. Here the checkpoint lacks a weight that the model has."""
    last = trained / "checkpoints/last.pt"
    state = torch.load(last, weights_only=True)
    state["model"].popitem()
    torch.save(state, last)
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    code, _, errors = run("train", "--resume=auto", "--epochs=3")
    assert code == 5 and errors.startswith("error: the model has other weights than when the run began")
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_a_storage_error(start: Command, trained: Path) -> None:
    log = trained / "train.log"
    log.unlink()
    log.symlink_to("/dev/full")
    process = start("train", "--resume=auto", "--epochs=3")
    _, errors = process.communicate()
    assert process.returncode == 4 and errors.startswith(
        "error: No space left on device; where it was written; make room"
    )
    assert json.loads((trained / "status.json").read_text())["exit_code"] == 4


def test_a_disk_that_fills_up_gets_one_sentence_as_the_last_line(start: Command) -> None:
    """And no complaint of Python after it, which tells in this mode, or from 3.13 on, of what it cannot close."""
    resource = pytest.importorskip("resource", reason="file size limits are a POSIX feature")
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux sets limits for another process")
    process = start("train", "--epochs=1000", "--patience=0", PYTHONDEVMODE="1")
    wait_for(process, "epoch    1/1000")
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, hard))
    _, errors = process.communicate()
    assert process.returncode == 4 and errors.startswith("error: cannot write ") and errors.count("\n") == 1


def test_inspect_shows_what_training_would_use(run: Run, small: Path) -> None:
    with np.load(small) as arrays:
        x = arrays["x"]
    code, output, errors = run("inspect")
    assert (code, errors) == (0, "")
    for part in (
        f"x              uint8    {x.shape!s:<21} 0 to {x.max()}",
        f"sample    channels 1, height {x.shape[2]}, width {x.shape[3]}",
        "targets   ",
        "splits    126 train, 27 val, 27 test; cut at random by --data.split-seed 0",
        "shared    no sample is in two splits",
        "model     ",
    ):
        assert part in output
    assert "not used" not in output
    assert output.endswith("\ntrain it: {{ cookiecutter.project_slug }} train --data.path=small.npz\n")


def test_inspect_names_what_training_would_leave_out(run: Run, small: Path) -> None:
    """A split may have another name than one thinks."""
    with np.load(small) as arrays:
        np.savez(small, **arrays, x_valid=arrays["x"][:9], y_valid=arrays["y"][:9])
    assert "\n  not used  x_valid, y_valid\n" in run("inspect")[1]
    assert "\n        not used: x_valid\n        not used: y_valid\n" in run("train", "--epochs=1")[1]


def test_inspect_tells_of_samples_that_are_in_two_splits(run: Run, small: Path) -> None:
    with np.load(small) as arrays:
        x, y = arrays["x"], arrays["y"]
    np.savez(small, x_train=x[:99], y_train=y[:99], x_val=x[99:], y_val=y[99:], x_test=x[90:120], y_test=y[90:120])
    output = run("inspect")[1]
    assert "different samples of test are also in train" in output and "of test are also in val" in output
    assert "different samples of test are also in train: its scores will be too good" in run("train", "--epochs=1")[1]


def test_figures_and_hyperparameters_are_in_the_event_file(trained: Path) -> None:
    """Without a run folder of their own."""
    events = EventAccumulator(str(trained)).Reload()
    assert events.Tags()["images"] and all(len(events.Images(tag)) == 1 for tag in events.Tags()["images"])
    assert set(events.PluginTagToContent("hparams")) >= {"_hparams_/experiment", "_hparams_/session_start_info"}
    began = HParamsPluginData.FromString(events.PluginTagToContent("hparams")["_hparams_/session_start_info"])
    assert began.session_start_info.hparams["lr"].number_value == Settings().lr
    assert not any(each.string_value == "None" for each in began.session_start_info.hparams.values())
    assert "epochs" not in began.session_start_info.hparams  # a resume may change it, and TensorBoard keeps the first
    best = [each.value for each in events.Scalars("best_val_loss")]
    losses = [each.value for each in events.Scalars("loss/val")]
    assert best == [min(losses[:1]), min(losses)]
    assert list(trained.parent.iterdir()) == [trained]


def test_tensorboard_gets_the_batch_size_that_was_chosen(run: Run, tmp_path: Path) -> None:
    """A text beside numbers could not be sorted there."""
    assert run("train", "--epochs=1", "--batch-size=None")[0] == 0
    events = EventAccumulator(str(newest(tmp_path))).Reload()
    began = HParamsPluginData.FromString(events.PluginTagToContent("hparams")["_hparams_/session_start_info"])
    assert began.session_start_info.hparams["batch-size"].number_value == 16


def test_augmented_and_resized_runs_repeat_their_scores(run: Run, tmp_path: Path) -> None:
    flags = ["--augment.flip=all", "--augment.shift=2", "--augment.noise=0.1", "--data.resize=36"]
    assert run("train", "--epochs=2", *flags)[0] == 0
    _, output, _ = run("evaluate", str(newest(tmp_path)))
    assert json.loads(output) == json.loads((newest(tmp_path) / "evaluation.json").read_text())


EPOCHS = 15 if DENSE else 50  # enough for a signal to come in time
LONG = (f"--epochs={EPOCHS}", "--patience=0")


@pytest.fixture(scope="module")
def uninterrupted(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a long run that nothing has disturbed."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    shutil.copy(finished / "small.npz", folder)
    assert launch(folder, "train", *LONG).wait() == 0
    return newest(folder)


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are a POSIX feature")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGUSR1", 138)])
def test_a_signal_saves_everything_and_resume_ends_with_the_same_bits(
    start: Command, run: Run, tmp_path: Path, uninterrupted: Path, name: str, code: int
) -> None:
    process = start("train", *LONG)
    wait_for(process, f"epoch  3/{EPOCHS}")
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate()
    assert process.returncode == (-signal.SIGINT if name == "SIGINT" else code)  # shells make 130 of both
    assert errors.splitlines()[-1].startswith(f"error: stopped by {name}, with everything saved; after step ")
    interrupted = newest(tmp_path)
    assert json.loads((interrupted / "status.json").read_text())["state"] == "interrupted"
    (interrupted / "evaluation.json").write_text("{}")  # as if it had ended before, with less epochs
    again = start("train", "--resume=auto", *LONG)
    wait_for(again, "resumed after step ")
    assert not (interrupted / "evaluation.json").exists()
    again.kill()
    again.communicate()

    assert run("train", "--resume=auto", *LONG)[0] == 0
    for name in ("last.pt", "best.pt"):
        paths = (folder / "checkpoints" / name for folder in (interrupted, uninterrupted))
        a, b = (torch.load(path, weights_only=True) for path in paths)
        assert all(torch.equal(a["model"][key], b["model"][key]) for key in b["model"])
    assert exact_lines(interrupted) == exact_lines(uninterrupted)
    assert (interrupted / "evaluation.json").read_text() == (uninterrupted / "evaluation.json").read_text()


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are a POSIX feature")
def test_ctrl_c_ends_a_loop_of_the_shell_too(tmp_path: Path, small: Path) -> None:
    command = f"{PYTHON} -m {{ cookiecutter.__package }} {shlex.join(on_small_data('train', *LONG))}"
    loop = f"for seed in 1 2; do {command} --seed $seed; echo code $?; done"
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # in the background, shells ignore it
    process = subprocess.Popen(
        ["bash", "-c", loop], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    wait_for(process, f"epoch  3/{EPOCHS}")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, _ = process.communicate()
    assert process.returncode == -signal.SIGINT and "code" not in output
    assert len(list((tmp_path / "runs").glob("*/*"))) == 1


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are a POSIX feature")
def test_ctrl_c_is_heeded_while_figures_are_drawn(start: Command, run: Run, tmp_path: Path) -> None:
    process = start("train", "--epochs=1")
    wait_for(process, "test ")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGINT and "\nerror: stopped by SIGINT, with everything saved; " in errors
    assert json.loads((newest(tmp_path) / "status.json").read_text())["state"] == "interrupted"
    assert run("train", "--resume=auto", "--epochs=1")[0] == 0
    assert json.loads((newest(tmp_path) / "status.json").read_text())["state"] == "finished"
    events = EventAccumulator(str(newest(tmp_path))).Reload()
    assert all(len(events.Images(tag)) == 1 for tag in events.Tags()["images"])


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are a POSIX feature")
def test_a_program_that_trains_gets_its_signals_back(run: Run) -> None:
    """Within a thread, which gets none, it trains, too."""
    taken = [signal.SIGHUP, *STOP_SIGNALS]
    before = [signal.getsignal(number) for number in taken]
    assert run("train", "--epochs=1")[0] == 0
    assert [signal.getsignal(number) for number in taken] == before
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run("train", "--epochs=1")[0]))
    thread.start()
    thread.join()
    assert codes == [0]


TWICE = """
import os, signal, subprocess, sys, time
from {{ cookiecutter.__package }}.signals import StopRequest
stop = StopRequest()
stop.listen()
again = "import os, signal; [os.kill(os.getppid(), signal.SIGTERM) for _ in range(2)]"
subprocess.run([sys.executable, "-c", again])
time.sleep(0.2)
print(stop.signal_number, flush=True)
os.kill(os.getpid(), signal.SIGTERM)
print("still here", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are a POSIX feature")
def test_in_a_notebook_a_second_signal_interrupts_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """And does not end the notebook, with all that it holds."""
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    try:
        with StopRequest() as stop:
            stop.listen()
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
            assert stop.signal_number == signal.SIGINT
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1)
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are a POSIX feature")
def test_a_trial_that_is_ended_leaves_every_with() -> None:
    """So that its temporary folder goes."""
    with StopRequest() as stop:
        stop.leave_at_once()
        with pytest.raises(SystemExit, match="143"):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are a POSIX feature")
def test_a_second_signal_ends_it_at_once() -> None:
    """Two that come together are one."""
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, f"{signal.SIGTERM.value}\n")
    assert done.stderr == "\nstopping after this step; press Ctrl-C to leave at once\n"


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are a POSIX feature")
@pytest.mark.parametrize("ending", ["2>&-", "2>/dev/full"])
def test_a_signal_saves_everything_when_nobody_listens(tmp_path: Path, small: Path, ending: str) -> None:
    flags = "--data.path=small.npz --epochs=500"
    command = f"exec {PYTHON} -m {{ cookiecutter.__package }} train {flags} {ending}"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        ["sh", "-c", command], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(process, "epoch   3/500")
    process.terminate()
    process.communicate(timeout=60)
    assert json.loads((newest(tmp_path) / "status.json").read_text())["state"] == "interrupted"
    for file in newest(tmp_path).rglob("*"):
        assert not file.is_file() or b"stopping after this step" not in file.read_bytes(), file.name
    assert torch.load(newest(tmp_path) / "checkpoints/last.pt", weights_only=True)["progress"]["step"] >= 6


def exact_lines(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: line[key] for key in line if key not in ("seconds", "samples_per_second")} for line in lines]


def test_resume_keeps_the_settings_it_began_with(run: Run, tmp_path: Path) -> None:
    assert run("train", "--epochs=1", "--lr=0.01")[0] == 0
    folder = newest(tmp_path)

    code, _, errors = run("train", f"--resume={folder}", "--lr=0.5")
    assert code == 5
    assert errors.splitlines()[-1].startswith("error: the run began with --lr=0.01, not --lr=0.5;")

    moved = tmp_path / "my runs"
    folder = folder.parents[1].rename(moved) / folder.relative_to(folder.parents[1])
    code, output, _ = run("train", f"--resume={folder}")
    assert code == 0 and output.startswith("already finished")

    config = (folder / "config.yaml").read_text()
    without = config.replace(f"weight_decay: {Settings().weight_decay}\n", "")  # as of code that had none yet
    (folder / "config.yaml").write_text(without)
    code, output, _ = run("train", f"--resume={folder}", "--epochs=2")
    goes_on = f"it goes on with --weight-decay={Settings().weight_decay}\n"
    assert output.startswith(f"the code has got settings since the run began; {goes_on}")
    assert code == 0 and "epoch 2/2" in output and "resumed after step 2" in output
    assert "changed since it began: epochs; it need not end with the same bits\n" in output
    assert output.endswith(f"look at it: tensorboard --logdir {shlex.quote(str(moved))}\n")
    assert not json.loads((folder / "capsule.json").read_text())["exact"]  # the learning rate depends on the epochs

    folder = Path(shutil.copytree(folder, tmp_path / "copy"))
    status = (folder / "status.json").read_text()
    (folder / "status.json").write_text(status.replace('"finished"', '"stopped_early"'))
    _, output, _ = run("train", f"--resume={folder}")
    assert output.startswith(f"already finished: {folder}; train it longer with more --patience (and --epochs, if ")

    (folder / "status.json").unlink()  # as if killed at the end
    _, output, _ = run("train", f"--resume={folder}", "--epochs=1")
    assert "finished: 2 epochs" in output
    assert output.endswith(f"look at it: tensorboard --logdir {shlex.quote(str(folder))}\n")


@pytest.mark.parametrize(
    ("names", "content", "sentence"),
    [
        ("checkpoints/last.pt", None, "error: the last checkpoint is gone; "),
        ("checkpoints/best.pt", None, "error: the best checkpoint is gone; "),
        (
            "checkpoints/last.pt checkpoints/best.pt",
            {"model": {}},
            "error: this is not a checkpoint of this project, or of another version; ",
        ),
        ("checkpoints/last.pt checkpoints/best.pt", b"PK", "error: the checkpoint cannot be read "),
        ("checkpoints/best.pt", b"PK", "error: the checkpoint cannot be read "),
        ("config.yaml", b"lr: 0.5\nepochs: 2\n", "error: the run began with "),
        ("status.json", b"{", "error: the file is damaged "),
        ("metrics.jsonl", b'{"epoch": 1}\n', "error: the file is damaged "),
    ],
)
def test_a_run_that_was_tampered_with_is_refused_and_left_alone(
    run: Run, trained: Path, names: str, content: object, sentence: str
) -> None:
    (trained / "checkpoints/previous.pt").unlink()  # which would take the place of the last one
    for file in (trained / name for name in names.split()):
        file.unlink()
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif content is not None:
            torch.save(content, file)
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    code, _, errors = run("train", f"--resume={trained}", "--epochs=3")
    assert code == 5 and errors.splitlines()[-1].startswith(sentence), errors
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("state", "epochs"), [("interrupted", 2), ("running", 2), ("running", 3), ("failed", 3)])
def test_only_a_run_that_saved_nothing_begins_anew(
    run: Run, trained: Path, small: Path, state: str, epochs: int
) -> None:
    """A run that is killed may have written down two epochs before its first checkpoint is there, not three."""
    if epochs == 3:
        assert run("train", f"--resume={trained}", "--epochs=3")[0] == 0
    shutil.rmtree(trained / "checkpoints")
    (trained / "status.json").write_text(json.dumps({"state": state}))
    lines = exact_lines(trained)
    with np.load(small) as arrays:
        mended = {**arrays, "x": arrays["x"] * 2}
    np.savez(small, **mended)
    code, _, errors = run("train", "--resume=auto", "--epochs=1")
    if state == "interrupted" or epochs == 3:  # with everything saved, or with something
        assert code == 5 and errors.startswith("error: the last checkpoint is gone; ")
        assert exact_lines(trained) == lines
    else:  # nothing of the data before is in it
        assert code == 0 and errors == "note: the run had not saved anything: it begins anew\n"
        assert [line["epoch"] for line in exact_lines(trained)] == [1]
        code, output, _ = run("train", "--resume=auto", "--epochs=2")
        assert code == 0 and "resumed after step 2" in output


def test_a_broken_pipe_in_the_training_is_no_success(
    run: Run, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def validate(trainer: Trainer) -> dict[str, float]:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")  # as print() does there, once nobody reads

    monkeypatch.setattr(Trainer, "validate", validate)
    code, _, errors = run("train")
    assert code == 1 and errors.splitlines()[-1].startswith("error: BrokenPipeError: ")
    assert json.loads((newest(tmp_path) / "status.json").read_text())["state"] == "failed"


def test_a_run_that_is_killed_once_its_damaged_checkpoint_was_set_aside_goes_on(
    run: Run, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that was full, there is no previous.pt either."""
    assert run("train", f"--resume={trained}", "--epochs=3")[0] == 0
    (trained / "checkpoints/previous.pt").unlink()
    (trained / "checkpoints/last.pt").write_bytes(b"damaged")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save", killed)
        assert run("train", f"--resume={trained}", "--epochs=4")[0] == 4
    assert sorted(path.name for path in (trained / "checkpoints").iterdir()) == ["best.pt", "damaged.pt"]
    code, output, _ = run("train", f"--resume={trained}", "--epochs=4")
    assert code == 0 and "from best.pt, since there is no last.pt" in output


def killed(trainer: Trainer, **_: object) -> None:
    raise StorageError("killed", "here", "resume it")


def test_a_bug_is_told_though_a_checkpoint_could_not_be_written(
    run: Run, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next call would have told of the checkpoint."""

    def fail(trainer: Trainer) -> float:
        shutil.rmtree(trainer.run.last.parent)
        trainer.save()
        raise KeyError("a bug")

    monkeypatch.setattr(Trainer, "train_epoch", fail)
    code, _, errors = run("train")
    assert code == 1 and "Traceback" in errors and errors.splitlines()[-1].startswith("error: KeyError: 'a bug'; ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
@pytest.mark.parametrize("name", ["status.json", "config.yaml", "capsule.json", "evaluation.json"])
def test_a_small_file_that_cannot_be_written_ends_it_with_one_sentence(run: Run, trained: Path, name: str) -> None:
    (trained / f"{name}.tmp").symlink_to("/dev/full")
    code, _, errors = run("train", f"--resume={trained}", "--epochs=3")
    assert code == 4 and errors.splitlines()[-1].startswith("error: cannot write ") and name in errors
    assert "Traceback" not in errors
    assert run("train", f"--resume={trained}", "--epochs=3")[0] == 0


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are a POSIX feature")
@pytest.mark.parametrize("when", ["validate", "figures"])
def test_a_signal_after_the_last_step_of_an_epoch_loses_nothing(
    run: Run, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    owner = Trainer if when == "validate" else Trained
    whole = getattr(owner, when)

    def interrupted(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return whole(*arguments)

    trained, other = trained.rename(tmp_path / "a run"), tmp_path / "other"
    shutil.copytree(trained, other)
    assert run("train", f"--resume={other}", "--epochs=3")[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(owner, when, interrupted)
        code, _, errors = run("train", f"--resume={trained}", "--epochs=3")
    assert code == 128 + signal.SIGTERM and "stopped by SIGTERM, with everything saved; after step 6; " in errors
    assert errors.endswith(f"; continue with --resume '{trained}'\n")
    assert run("train", f"--resume={trained}", "--epochs=3")[0] == 0
    a, b = (torch.load(folder / "checkpoints/last.pt", weights_only=True)["model"] for folder in (trained, other))
    assert all(torch.equal(a[name], b[name]) for name in b) and exact_lines(trained) == exact_lines(other)


@pytest.mark.parametrize("there", ["previous.pt", "best.pt"])
def test_a_damaged_checkpoint_is_said_and_one_before_it_continues(
    run: Run, trained: Path, tmp_path: Path, there: str
) -> None:
    checkpoints = trained / "checkpoints"
    shutil.copy(checkpoints / "previous.pt", checkpoints / "best.pt")  # else that one is newer
    if there == "best.pt":  # as after one epoch, or on a disk that was full
        (checkpoints / "previous.pt").unlink()
    shutil.copytree(trained, tmp_path / "whole")
    shutil.copy(checkpoints / there, tmp_path / "whole/checkpoints/last.pt")
    assert run("train", f"--resume={tmp_path / 'whole'}", "--epochs=3")[0] == 0
    (checkpoints / "last.pt").write_bytes((checkpoints / "last.pt").read_bytes()[:-1])
    code, output, _ = run("train", f"--resume={trained}", "--epochs=3")
    said = rf"resumed after step 2, from {there}, since the checkpoint cannot be read .*; it is kept as damaged.pt\n"
    assert code == 0 and re.search(said, output), output
    assert re.search(said, (trained / "train.log").read_text())
    assert exact_lines(trained) == exact_lines(tmp_path / "whole") and len(exact_lines(trained)) == 3
    assert {file.name for file in checkpoints.iterdir()} == {"best.pt", "damaged.pt", "last.pt", "previous.pt"}

    shutil.copytree(trained, tmp_path / "lost")  # later, and for good
    for name in ("last.pt", "previous.pt"):
        (tmp_path / "lost/checkpoints" / name).unlink()
    code, _, errors = run("train", f"--resume={tmp_path / 'lost'}", "--epochs=4")
    assert code == 5 and errors.startswith("error: the last checkpoint is gone; "), errors
    for name in ("last.pt", "previous.pt"):
        (checkpoints / name).write_bytes(b"PK")
    code, _, errors = run("train", f"--resume={trained}", "--epochs=4")
    assert code == 5 and errors.startswith("error: the checkpoint cannot be read "), errors


def test_what_is_continued_from_the_best_checkpoint_becomes_the_last_one(run: Run, trained: Path) -> None:
    """Though nothing is left to train: it was killed between the two, at the end of the last epoch."""
    checkpoints = trained / "checkpoints"
    whole = load_checkpoint((checkpoints / "last.pt").replace(checkpoints / "best.pt"))
    (checkpoints / "previous.pt").replace(checkpoints / "last.pt")
    (trained / "status.json").unlink()
    code, output, _ = run("train", f"--resume={trained}")
    assert code == 0 and "resumed after step 4, from best.pt, which is newer than last.pt\n" in output
    last = load_checkpoint(checkpoints / "last.pt")
    assert last.keys() == whole.keys() and last["progress"] == whole["progress"]
    assert all(torch.equal(weight, whole["model"][name]) for name, weight in last["model"].items())


def test_the_last_checkpoint_can_take_the_place_of_a_damaged_best_one(run: Run, trained: Path) -> None:
    checkpoints = trained / "checkpoints"
    (checkpoints / "best.pt").write_bytes(b"PK")
    code, _, errors = run("train", f"--resume={trained}", "--epochs=4")
    assert code == 5 and "best.pt; put back a whole copy" in errors, errors
    shutil.copy(checkpoints / "last.pt", checkpoints / "best.pt")
    code, output, _ = run("train", f"--resume={trained}", "--epochs=4")
    assert code == 0 and "resumed after step 4, from last.pt\n" in output
    assert load_checkpoint(checkpoints / "last.pt")["progress"]["epoch"] == 4


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe as POSIX does")
@pytest.mark.parametrize("ending", ["| true", "| head -n 1", ">&-", ">/dev/full", "2>&-"])
def test_training_goes_on_when_nobody_listens(tmp_path: Path, small: Path, ending: str) -> None:
    flags = "--data.path=small.npz --epochs=2 --resume=auto"
    command = f"{PYTHON} -m {{ cookiecutter.__package }} train {flags} {ending}"
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, capture_output=True)
    assert json.loads((newest(tmp_path) / "status.json").read_text())["state"] == "finished"
    assert "test " in (newest(tmp_path) / "train.log").read_text()


@pytest.mark.skipif(os.name != "posix", reason="closes a stream as POSIX does")
@pytest.mark.parametrize(("command", "code"), [("train --help >&-", 0), ("evaluate nowhere 2>&-", 2)])
def test_what_nobody_reads_goes_nowhere_else(tmp_path: Path, command: str, code: int) -> None:
    """Not as a traceback, nor among the scores."""
    command = f"{PYTHON} -m {{ cookiecutter.__package }} {command}"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_figures_are_drawn_whatever_shows_plots_elsewhere(start: Command, tmp_path: Path) -> None:
    """A notebook's `!` hands on the backend of its own environment."""
    process = start("train", "--epochs=1", MPLBACKEND="module://not_here.backend")
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert EventAccumulator(str(newest(tmp_path))).Reload().Tags()["images"]


@pytest.mark.skipif(os.name != "posix", reason="flags of open() of POSIX")
@pytest.mark.parametrize("name", ["status.json", "capsule.json", "metrics.jsonl", "train.log", ".lock"])
def test_a_folder_in_the_place_of_a_file_gets_one_sentence(run: Run, trained: Path, name: str) -> None:
    (trained / name).unlink(missing_ok=True)
    (trained / name).mkdir()
    code, _, errors = run("train", f"--resume={trained}", "--epochs=9")
    assert code == 4 and errors.startswith("error: Is a directory; ") and errors.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        (">/dev/full", 4, "error: No space left on device; where it was written; make room, or let it read and write"),
        ("2>/dev/full", 0, ""),
        ("--data.channels=no 2>/dev/full", 2, ""),
        ("| true; exit ${PIPESTATUS[0]}", 0, ""),
    ],
)
def test_what_cannot_be_said_leaves_the_exit_code_alone(
    tmp_path: Path, small: Path, ending: str, code: int, said: str
) -> None:
    command = f"{PYTHON} -m {{ cookiecutter.__package }} inspect --data.path=small.npz {ending}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == code and done.stderr.startswith(said) and done.stderr.count("\n") == bool(said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_scores_come_where_a_note_cannot(tmp_path: Path, trained: Path) -> None:
    (trained / "status.json").write_text('{"state": "running"}')  # it has not finished, which is worth a note
    command = f"{PYTHON} -m {{ cookiecutter.__package }} evaluate {shlex.quote(str(trained))} --device=cpu 2>/dev/full"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and json.loads(done.stdout)["split"] == "test"


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe as POSIX does")
@pytest.mark.parametrize("command", ["train --help", "inspect"])
def test_a_reader_may_stop_reading(tmp_path: Path, small: Path, command: str) -> None:
    line = f"{PYTHON} -m {{ cookiecutter.__package }} {command} --data.path=small.npz | head -n 1"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0 and "Traceback" not in result.stderr


def test_a_model_that_is_too_large_is_refused_before_it_is_built(run: Run, tmp_path: Path) -> None:
    code, _, errors = run("train", *TOO_LARGE)
    assert code == 2 and not (tmp_path / "runs").exists()
    assert re.match(
        r"error: it needs \d+\.\d GiB of memory, and .* are free; for the model; use smaller settings", errors
    )


def test_changed_data_is_refused_on_resume(run: Run, trained: Path, small: Path) -> None:
    with np.load(small) as arrays:
        changed = {name: arrays[name] for name in arrays.files}
    changed["x"][0, 0, 0, 0] += 1
    np.savez(small, **changed)
    code, _, errors = run("train", "--resume=auto", "--epochs=3")
    assert code == 5 and errors.splitlines()[-1].startswith("error: the data has changed")


@pytest.mark.parametrize(
    "flags", [("--data.path=nowhere.npz",), ("--monitor=val_nothing",), ("--data.resize=3x3x3x3",)]
)
def test_a_wrong_input_leaves_no_run_directory(run: Run, tmp_path: Path, flags: tuple[str, ...]) -> None:
    code, _, errors = run("train", *flags)
    assert code == 2 and not (tmp_path / "runs").exists()
    assert len(errors.splitlines()) == 1 and errors.startswith("error: ") and errors.count("; ") >= 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16", "fp16"])
def test_training_on_cuda(start: Command, tmp_path: Path, precision: str) -> None:
    process = start("train", "--epochs=2", "--device=cuda", f"--precision={precision}")
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "cuda" in output and json.loads((newest(tmp_path) / "evaluation.json").read_text())["loss"] > 0


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
@pytest.mark.parametrize("tools", [("gpustat",), ("watch", "nvidia-smi"), ()])
def test_the_gpu_script_takes_what_there_is(tmp_path: Path, tools: tuple[str, ...]) -> None:
    """With gpustat, without it, without a GPU (lesson 11 of the notes). The tools here say how they were called."""
    for tool in tools:
        (tmp_path / tool).write_text(f'#!/bin/sh\necho {tool} "$@"\n')
        (tmp_path / tool).chmod(0o755)
    script = ["/bin/sh", str(PROJECT / "scripts" / "gpustat.sh")]
    result = subprocess.run(script, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    if not tools:
        assert result.returncode == 2 and result.stderr.startswith("error: ") and "htop" in result.stderr
    else:
        expected = {"gpustat": "gpustat -cp --watch\n", "watch": "watch -n0.1 nvidia-smi\n"}[tools[0]]
        assert (result.returncode, result.stdout) == (0, expected)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
def test_a_terminal_that_is_closed_does_not_end_the_training(start: Command, tmp_path: Path) -> None:
    process = start("train", "--epochs=30", "--patience=0")
    wait_for(process, "epoch  2/30")
    process.send_signal(signal.SIGHUP)
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "") and "epoch 30/30" in output


def test_samples_that_are_too_large_are_refused_before_one_is_made(run: Run) -> None:
    code, _, errors = run("train", "--data.resize=60000")
    assert code == 2 and errors.startswith("error: it needs ") and "; for the model; " in errors


@pytest.mark.parametrize(
    ("flag", "code", "sentence"),
    [
        ("--device=cuda:99", 2, r"--device cuda:99 is not available; on this machine with torch .*; choose one of: "),
        ("--lr=1e30", 3, r"the (loss|validation loss) is (nan|inf); .*; try a smaller --lr"),
    ],
)
def test_the_exit_code_says_what_kind_of_failure_it_was(
    start: Command, tmp_path: Path, flag: str, code: int, sentence: str
) -> None:
    """And before anything is trained, nothing is left behind."""
    process = start("train", "--epochs=2", flag)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code and re.search(f"^error: {sentence}", errors, re.MULTILINE), errors
    assert (tmp_path / "runs").exists() == (code != 2)


def test_debug_shows_where_an_error_comes_from(run: Run) -> None:
    code, _, errors = run("inspect", "--data.channels=last", "--data.x=no", "--debug")
    assert code == 2 and errors.startswith("Traceback") and errors.splitlines()[-1].startswith("error: there is no arr")


def test_a_figure_that_failed_is_drawn_once_it_is_mended(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("{{ cookiecutter.__package }}.figures.draw", None)
        code, _, errors = run("train", "--epochs=1")
    assert code == 1 and errors.splitlines()[-1].startswith("error: TypeError: ")
    code, output, _ = run("train", f"--resume={newest(tmp_path)}")
    assert code == 0 and "epoch 1/1" not in output and "finished: 1 epoch\n" in output
    assert EventAccumulator(str(newest(tmp_path))).Reload().Tags()["images"]
