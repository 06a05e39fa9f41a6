"""The command line answers at once: help, and one sentence for every mistake."""

import os
import subprocess
import sys
import time
from dataclasses import make_dataclass
from pathlib import Path
from threading import Thread
from typing import Optional

import pytest
import tyro

from {{ cookiecutter.__package }}.cli import main
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.errors import ConfigError
from {{ cookiecutter.__package }}.parsing import parse
from {{ cookiecutter.__package }}.settings_file import read_flags


@pytest.mark.parametrize(
    ("command", "code", "sentence"),
    [
        ("", 2, "no command is given; on the command line; put one of these first: train, inspect, evaluate,"),
        ("trian --epochs 3", 2, "'trian' is not a command; on the command line; perhaps you meant train"),
        ("--epochs 3", 2, "'--epochs' is not a command; on the command line; put one of these first: train, inspect,"),
        ("import_images pictures out.npz", 2, "there is no such folder; pictures"),
        ("train --lrr 1", 2, "Unrecognized options: --lrr, 1; on the command line; perhaps you meant --lr"),
        ("train --lr fast", 2, "--lr is a number, not 'fast'; on the command line; see {{ cookiecutter.project_slug }} train --help"),
        ("train --epochs 2.5", 2, "--epochs is a whole number, not '2.5'; on the command line; see"),
        ("train --batch-size all", 2, "--batch-size is a whole number, not 'all'; on the command line; see"),
        ("train --lr", 2, "--lr has no value; on the command line; see"),
        ("train --precision fp64", 2, "invalid choice 'fp64' for argument '--precision'"),
        ("train --resume runs/nowhere", 2, "there is no run; at runs/nowhere"),
        ("train --resume auto --fast-dev-run", 2, "--resume and --fast-dev-run exclude each other"),
        (f"train --data {os.devnull}", 2, f"Unrecognized options: --data, {os.devnull}; on the command line; perhaps"),
        ("inspect --lr=3", 2, "Unrecognized options: --lr=3; on the command line; see {{ cookiecutter.project_slug }} inspect -"),
        ("inspect --resume auto", 2, "Unrecognized options: --resume, auto; on the command line; see"),
        ("train --resume= ", 2, "there is no run"),
        ("train --config nowhere.yaml", 2, "cannot read the settings (No such file or directory); nowhere.yaml"),
        ("evaluate runs/nowhere", 2, "there is no run; at runs/nowhere"),
        ("evaluate " + 300 * "x", 2, "File name too long"),
        (f"predict run --out {300 * 'x'}/p.csv", 2, "there is no run; at run"),
        (f"train --runs-dir {300 * 'x'}", 2, "File name too long"),
        ("evaluate", 2, "Missing from {{ cookiecutter.project_slug }} evaluate: RUN"),
        ("evaluate run --split all", 2, "invalid choice 'all' for argument '--split'"),
        ("evaluate run --lr 1", 2, "Unrecognized options: --lr, 1; on the command line; see"),
        ("evaluate run --epoch 3", 2, "Unrecognized options: --epoch, 3; on the command line; see"),  # not --epochs
        ("train --no-data.normalise", 2, "Unrecognized options: --no-data.normalise; on the command line; a"),
        ("import-images in --out x.npz", 2, "out is missing (it takes no flag), or a flag before it is unknown; on"),
        ("predict runs/nowhere --out p.csv", 2, "there is no run; at runs/nowhere"),
        ("predict runs/nowhere", 2, "Missing from"),
    ],
)
def test_a_mistake_gets_one_sentence(
    command: str, code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command.split()) == code
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {sentence}")


def test_threads_that_parse_leave_stderr_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two, the second begins while the first one parses, and ends after it."""
    before, parse_by_tyro = sys.stderr, tyro.cli
    monkeypatch.setattr(tyro, "cli", lambda *args, **options: (time.sleep(0.2), parse_by_tyro(*args, **options))[1])
    threads = [Thread(target=parse, args=(Settings, ["--lr=0.1"])) for _ in range(2)]
    for each in threads:
        each.start()
        time.sleep(0.1)
    for each in threads:
        each.join()
    assert sys.stderr is before


@pytest.mark.parametrize("kind", [float, Optional[float]])
def test_a_number_of_one_s_own_need_not_be_whole(kind: type) -> None:
    own = make_dataclass("own", [("share", kind, 0.5)])
    assert parse(own, ["--share=0.25"]).share == 0.25
    with pytest.raises(ConfigError, match=r"^--share is a number, not 'half'; on the command line; see"):
        parse(own, ["--share=half"])


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        ("--learning_rate=0.1", "perhaps you meant --lr"),
        ("--gpu", "perhaps you meant --device cuda"),
        ("--model resnet", "the model is that of model.py; for another one, use the template again"),
        ("--data missing.npz", "perhaps you meant --data.path missing.npz"),
        ("--data=missing.npz", "perhaps you meant --data.path missing.npz"),
        ("mine.npz", "perhaps you meant --data.path mine.npz"),
        ("{yaml}", "perhaps you meant --config {yaml}"),
        ("--data.normalise no", "a setting is switched on by its flag alone, and off as in --data.no-normalise"),
        ("--deterministic=True", "a setting is switched on by its flag alone, and off as in --data.no-normalise"),
    ],
)
def test_what_people_write_from_habit_is_understood(
    flags: str, advice: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my.yaml").write_text("lr: 0.1\n")
    assert main(["train", *(flag.format(yaml=tmp_path / "my.yaml") for flag in flags.split())]) == 2
    assert capsys.readouterr().err.endswith(f"; on the command line; {advice.format(yaml=tmp_path / 'my.yaml')}\n")


def test_a_mistake_in_a_config_file_names_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my.yaml").write_text("lr: 0.1\nepoch: 3\n")
    assert main(["train", "--config", str(tmp_path / "my.yaml")]) == 2
    error = capsys.readouterr().err
    assert "--epoch" in error and f"in {tmp_path / 'my.yaml'}; perhaps you meant --epochs" in error


def test_a_config_file_gives_settings_and_flags_have_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("lr: 1e-3\nepochs: 7\ndata:\n  split_seed: 4\n")
    settings = parse(Settings, [*read_flags(tmp_path / "my.yaml"), "--epochs=9"])
    assert (settings.lr, settings.epochs, settings.data.split_seed) == (0.001, 9, 4)


def test_help_does_not_wait_for_torch() -> None:
    code = """
import sys
from {{ cookiecutter.__package }}.cli import main
try:
    main(["train", "--help"])
finally:
    print("torch" in sys.modules)
"""
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert output.splitlines()[-1] == "False"
    for flag in (
        "--epochs",
        "--resume",
        "--config",
        "--fast-dev-run",
        "--data.path",
        "--model.",
        "--augment.",
        "--task.",
    ):
        assert flag in output


def test_torch_is_loaded_without_looking_for_garbage() -> None:
    """Which is looked for again afterwards."""
    script = """
import gc
from {{ cookiecutter.__package }}.__main__ import loading
with loading():
    import torch
    assert not gc.isenabled()
assert gc.isenabled() and gc.get_freeze_count() > 0
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_arguments_may_be_numbers_and_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--epochs", 2, "--lr", 3e-4, "--data.path", tmp_path / "gone.npz"]) == 2
    assert capsys.readouterr().err.startswith("error: the data cannot be opened")


def test_a_program_that_calls_keeps_its_garbage_collector() -> None:
    script = """
import gc
from {{ cookiecutter.__package }}.cli import main
assert main(["import-images", "nowhere", "x.npz"]) == 2
assert gc.isenabled() and gc.get_freeze_count() == 0
"""
    subprocess.run([sys.executable, "-c", script], check=True)


MODULE = """
from pathlib import Path
LOG = Path(__file__).with_suffix(".txt").open("w")
def say(text):
    LOG.write(text)
"""


def test_what_modules_have_written_to_open_files_is_there_in_the_end(tmp_path: Path) -> None:
    """Of those that are imported with torch, and of those after it."""
    script = """
from {{ cookiecutter.__package }} import __main__, cli

def main(loading):
    with loading():
        import early
    import late
    early.say("all")
    late.say("all")
    return 0

cli.main = main
__main__.run()
"""
    for name in ("early", "late"):
        (tmp_path / f"{name}.py").write_text(MODULE)
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    assert [(tmp_path / f"{name}.txt").read_text() for name in ("early", "late")] == ["all", "all"]
