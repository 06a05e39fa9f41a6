"""The run that was meant is continued, with the settings that it began with."""

import shutil
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from {{ cookiecutter.__package }}.arguments import Train
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.errors import ConfigError, RefusedError
from {{ cookiecutter.__package }}.parsing import parse
from {{ cookiecutter.__package }}.resume import Resumed, find_run, is_locked
from {{ cookiecutter.__package }}.run import Run

from .conftest import Run as Call
from .example import bundled


def resume(settings: Settings, *flags: str, run: object = "auto") -> Resumed | None:
    arguments = [f"--resume={run}", f"--runs-dir={settings.runs_dir}", *flags]
    return find_run(parse(Train, arguments), arguments)


def left(folder: Path, settings: Settings) -> Run:
    """A run that has begun, and is trained by nobody."""
    folder.mkdir(parents=True)
    with Run(folder, settings) as run:
        run.begin()
        run.last.touch()
    return run


def test_auto_finds_the_newest_run_that_nobody_trains(settings: Settings) -> None:
    assert resume(settings) is None
    folders = [settings.runs_dir / settings.name / f"20260101-00000{i}-abcd" for i in range(3)]
    runs = [left(folder, settings) for folder in folders]
    (settings.runs_dir / settings.name / "20260101-000009-abcd").mkdir()  # killed before it began
    shutil.copytree(folders[0], folders[0].with_name("20260101-000009-abcd-copy"))
    folders[1].rename(folders[1].with_name("the good one"))
    assert (found := resume(settings)) and found.folder == folders[2]
    folders[1].with_name("the good one").rename(folders[1])
    with runs[2]:
        assert (found := resume(settings)) and found.folder == folders[1]
    assert resume(settings, "--name=other") is None
    assert (found := resume(settings, run=folders[0])) and found.folder == folders[0]


def test_a_run_is_free_though_others_look_at_it(settings: Settings) -> None:
    folder, done = settings.runs_dir / settings.name / "20260101-000000-abcd", Event()
    run = left(folder, settings)

    def look() -> None:
        while not done.wait(0.001):
            is_locked(folder)

    others = [Thread(target=look) for _ in range(2)]
    for each in others:
        each.start()
    try:
        for _ in range(50):
            assert not is_locked(folder)
            with run:
                assert is_locked(folder)
    finally:
        done.set()
        for each in others:
            each.join()


def test_auto_finds_the_run_of_a_sweep_that_the_flags_describe(settings: Settings) -> None:
    folders = [settings.runs_dir / settings.name / f"20260101-00000{i}-abcd" for i in range(3)]
    for seed, folder in enumerate(folders):
        left(folder, replace(settings, seed=seed, lr=0.1))
    for seed, folder in enumerate(folders):
        assert (found := resume(settings, f"--seed={seed}")) and found.folder == folder
        assert (found.settings.seed, found.settings.lr) == (seed, 0.1)
    with pytest.raises(RefusedError, match=r"the run began with --seed=2, not --seed=3; in .*-000002-abcd; leave th"):
        resume(settings, "--seed=3")
    (folders[2] / "status.json").write_text("{")
    with pytest.raises(RefusedError, match=r"the file is damaged .*-000002-abcd/status.json; remove it"):
        resume(settings, "--seed=1")
    (folders[2] / "status.json").unlink()
    config = folders[2] / "config.yaml"
    config.write_text(config.read_text() + "momentum: 0.9\n")  # by other code
    with pytest.raises(RefusedError, match=r"this code does not take the settings of the run .*-000002-abcd"):
        resume(settings, "--seed=1")


def test_a_run_that_has_saved_nothing_does_not_stand_in_the_way(settings: Settings) -> None:
    """It was refused by the data or the model, and the settings were mended."""
    run = left(settings.runs_dir / settings.name / "20260101-000000-abcd", settings)
    run.last.unlink()
    assert resume(settings, "--seed=3") is None
    with pytest.raises(RefusedError, match="the run began with --seed=0, not --seed=3"):  # this one was asked for
        resume(settings, "--seed=3", run=run.folder)
    assert resume(settings) is not None


def test_a_run_of_other_data_is_not_taken_for_this_one(run: Call, trained: Path) -> None:
    arrays = bundled()
    np.savez("other.npz", **{**arrays, "x": arrays["x"][::-1]})  # type: ignore[arg-type]
    shutil.copy("small.npz", "moved.npz")
    trained = trained.relative_to(Path.cwd())
    finished = (0, f"already finished: {trained}; train it longer with --epochs, or anew with another --name\n", "")
    assert run("train", "--resume=auto", "--data.path=moved.npz") == finished
    sentence = f"error: the data has changed since the run began; %s for {trained}; put the old data back, or start a "
    code, _, errors = run("train", "--resume=auto", "--data.path=other.npz")
    assert code == 5 and errors.startswith(sentence % "other.npz")
    code, _, errors = run("train", "--resume=auto", "--data.path=nowhere.npz")
    assert code == 2 and errors.startswith("error: the data cannot be opened")
    assert run("train", "--epochs=1", "--data.path=other.npz")[0] == 0
    assert run("train", "--resume=auto") == finished  # the older one
    Path("small.npz").unlink()
    assert run("train", f"--resume={trained}") == finished
    Path("other.npz").rename("small.npz")
    code, _, errors = run("train", f"--resume={trained}")
    assert code == 5 and errors.startswith(sentence % "small.npz")


def test_the_run_of_init_from_may_be_gone_when_a_run_is_resumed(run: Call, trained: Path) -> None:
    flags = ["--name=tuned", f"--init-from={trained}"]
    assert run("train", "--epochs=1", *flags)[0] == 0
    shutil.rmtree(trained)
    code, output, _ = run("train", "--epochs=2", "--resume=auto", *flags)
    assert code == 0 and "epoch 2/2" in output
    code, _, errors = run("train", "--resume=auto", *flags, "--name=new")
    assert code == 2 and errors.startswith("error: there is no run; at ")


def test_a_run_that_is_not_there_is_refused(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="there is no run; at nowhere"):
        resume(settings, run="nowhere")


def test_more_epochs_do_not_help_a_run_that_has_stopped_early(run: Call, trained: Path) -> None:
    status = trained / "status.json"
    status.write_text(status.read_text().replace('"finished"', '"stopped_early"'))
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    for flags in (["--epochs=9"], ["--epochs=9", "--patience=3"]):
        code, output, _ = run("train", f"--resume={trained}", *flags)
        advice = "train it longer with more --patience (and --epochs, if all are done)"
        assert (code, output) == (0, f"already finished: {trained}; {advice}, or anew with another --name\n")
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before
    code, output, _ = run("train", f"--resume={trained}", "--epochs=3", "--patience=0")
    assert code == 0 and "epoch 3/3" in output


def test_a_run_of_other_code_is_named(run: Call, trained: Path) -> None:
    config = trained / "config.yaml"
    config.write_text(config.read_text() + "momentum: 0.9\n")
    for command in (["train", f"--resume={trained}"], ["evaluate", str(trained)]):
        code, _, errors = run(*command)
        sentence = "error: this code does not take the settings of the run (Unrecognized options: --momentum=0.9); in "
        assert code == 5 and errors.startswith(sentence)
        assert errors.endswith("; use the code that wrote them, or put back a whole file\n")


def test_an_edited_path_may_look_like_a_date(run: Call, trained: Path) -> None:
    config = trained / "config.yaml"
    config.write_text(config.read_text().replace("runs_dir: ", "runs_dir: 2026-13-01 # was ", 1))
    assert run("evaluate", str(trained))[2] == ""


def test_a_setting_that_the_code_has_got_since_is_named(run: Call, trained: Path) -> None:
    config = trained / "config.yaml"
    config.write_text(config.read_text().replace(f"weight_decay: {Settings().weight_decay}\n", ""))
    _, output, errors = run("evaluate", str(trained))
    assert output and errors.endswith(f"since the run began: --weight-decay={Settings().weight_decay}\n")
