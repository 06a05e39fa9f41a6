"""The ways in which people use cookiecutter."""

import gc
import os
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from benchmarks.origin import write_user_config

from .conftest import COMBINATIONS, ROOT, Render, repository_files
from .test_render import DEFAULT_FILES, files


@pytest.fixture
def cookiecutter(tmp_path: Path):
    """Run the real command in an empty folder."""
    config = write_user_config(tmp_path)
    work = tmp_path / "work"
    work.mkdir()

    def run(*arguments: str, template: Path = ROOT, typed: str = "", code: int = 0) -> tuple[Path, str]:
        command = [sys.executable, "-m", "cookiecutter", str(template), "--config-file", str(config), *arguments]
        result = subprocess.run(command, cwd=work, input=typed, capture_output=True, text=True)
        assert result.returncode == code, result.stdout + result.stderr
        return work, result.stdout + result.stderr if code or "Warning" in result.stderr else result.stdout

    return run


def test_no_input_takes_the_defaults_and_says_what_is_next(cookiecutter) -> None:
    work, output = cookiecutter("--no-input")
    assert files(work / "my-experiment") == DEFAULT_FILES
    assert output.strip().splitlines() == [
        "The experiment is in my-experiment. Next:",
        "",
        "  cd my-experiment",
        "  python -m venv .venv && . .venv/bin/activate",
        "  python -m pip install -e . -c constraints.txt && my-experiment train",
    ]


def test_questions_are_asked_in_plain_words(cookiecutter) -> None:
    typed = "Cats and Dogs\n\nTells cats from dogs.\nAda Lovelace\n1\n2\n1\n3\n2\n"
    work, output = cookiecutter(typed=typed)
    for words in ("What is the experiment called?", "What is to be learned?", "With which model?", "cnn: convolutions"):
        assert words in output
    project = work / "cats-and-dogs"
    assert "class MLP" in (project / "src/cats_and_dogs/model.py").read_text()
    assert "Apache License" in (project / "LICENSE").read_text() and not (project / ".github").exists()


def test_key_value(cookiecutter) -> None:
    work, _ = cookiecutter("--no-input", "project_name=Two Words", "model=mlp")
    assert "class MLP" in (work / "two-words/src/two_words/model.py").read_text()


def test_a_pipe_that_closes_loses_no_project(tmp_path: Path) -> None:
    config = write_user_config(tmp_path)
    command = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input", "--config-file", str(config)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    subprocess.run(["bash", "-c", f"{shlex.join(command)} | true"], cwd=tmp_path, env=environment, check=True)
    assert files(tmp_path / "my-experiment") == DEFAULT_FILES


def test_a_model_that_does_not_fit_is_refused_before_the_next_question(cookiecutter) -> None:
    _, output = cookiecutter(typed="\n\n\n\n4\n1\n", code=1)  # segmentation, with a cnn
    assert output.endswith("error: model cannot be 'cnn'; for segmentation, choose one of: unet.\n")


def test_a_config_file_that_gives_another_choice_is_warned_of(cookiecutter, tmp_path: Path) -> None:
    """As the README says: cookiecutter takes the default one, and leaves out what stands below."""
    config = tmp_path / "mine.yaml"
    config.write_text("default_context: {model: mlp, task: regresion, license: Apache-2.0}\n")
    work, output = cookiecutter("--no-input", "--config-file", str(config))
    assert "Invalid default received: regresion provided for choice variable task" in output
    assert "class MLP" in (work / "my-experiment/src/my_experiment/model.py").read_text()
    assert "one class per sample" in (work / "my-experiment/src/my_experiment/task.py").read_text()
    assert "MIT License" in (work / "my-experiment/LICENSE").read_text()


def test_a_choice_that_is_not_offered_is_refused(cookiecutter) -> None:
    """By cookiecutter itself, whose last line says so below a traceback."""
    work, output = cookiecutter("--no-input", "model=transformer", code=1)
    assert "transformer" in output.splitlines()[-1] and "cnn" in output.splitlines()[-1]
    assert list(work.iterdir()) == []


def test_replay_gives_the_same_again(cookiecutter) -> None:
    work, _ = cookiecutter("--no-input", "model=mlp", "author=Ada Lovelace")
    first = {path: path.read_bytes() for path in (work / "my-experiment").rglob("*") if path.is_file()}
    shutil.rmtree(work / "my-experiment")
    cookiecutter("--replay")
    assert {path: path.read_bytes() for path in (work / "my-experiment").rglob("*") if path.is_file()} == first


def test_a_zip_of_the_repository(cookiecutter, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "dan-template.zip", "w") as archive:
        archive.writestr("dan-template-main/", "")  # as the archives of code hosts begin
        for name in repository_files():
            archive.write(ROOT / name, f"dan-template-main/{name}")
    work, _ = cookiecutter("--no-input", template=tmp_path / "dan-template.zip")
    assert files(work / "my-experiment") == DEFAULT_FILES


def test_a_clone_without_links(cookiecutter, tmp_path: Path) -> None:
    clone = ["git", "clone", "-q", "-c", "core.symlinks=false", str(ROOT), str(tmp_path / "clone")]
    subprocess.run(clone, check=True)
    assert not (tmp_path / "clone/template").is_symlink()
    work, _ = cookiecutter("--no-input", template=tmp_path / "clone")
    assert "src/my_experiment/trainer.py" in files(work / "my-experiment")  # of the last commit, whatever it has


def test_rendering_over_a_project_keeps_what_the_user_added(cookiecutter) -> None:
    """Also what happens after an interrupted render (FAULTS R3, R5)."""
    work, _ = cookiecutter("--no-input")
    project = work / "my-experiment"
    own = ["runs/my-experiment/1/checkpoints/best.pt", "data/mine.npz", "notes.md", ".github/CODEOWNERS"]
    for name in own:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("mine")
    for name in ("README.md", "src/my_experiment/trainer.py", "data/digits.npz"):  # as if it had been interrupted
        (project / name).unlink()
    cookiecutter("--no-input", code=1)  # refused without the flag
    cookiecutter("--no-input", "--overwrite-if-exists")
    assert files(project) == DEFAULT_FILES | set(own)
    assert all((project / name).read_text() == "mine" for name in own)


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_a_killed_render_is_completed_by_rendering_again(cookiecutter, tmp_path: Path) -> None:
    config, work = tmp_path / "cookiecutter.yaml", tmp_path / "work"
    command = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input", "--config-file", str(config)]
    halves = 0
    for count in (1, 20, 60):  # files that are there when it is killed
        process = subprocess.Popen(command, cwd=work, stdout=subprocess.DEVNULL)
        while process.poll() is None and len(files(work / "my-experiment")) < count:
            time.sleep(0.001)
        process.kill()
        process.wait()
        halves += files(work / "my-experiment") != DEFAULT_FILES
        cookiecutter("--no-input", "--overwrite-if-exists")
        assert files(work / "my-experiment") == DEFAULT_FILES
        shutil.rmtree(work / "my-experiment")
    assert halves >= 1


@pytest.mark.alone
def test_a_render_takes_about_twice_as_long_as_that_of_an_empty_template(
    cookiecutter, render: Render, tmp_path: Path
) -> None:
    """As a command, 2.2 times as long at most; within this process, about as long as the command for the empty one."""
    empty = tmp_path / "empty"
    (empty / "{{cookiecutter.name}}").mkdir(parents=True)
    (empty / "cookiecutter.json").write_text('{"name": "nothing"}')
    gc.freeze()  # what all the other tests have imported, torch among it, is not searched for garbage meanwhile
    ours, nothing, in_process = [], [], []
    for task, model in COMBINATIONS[::2]:
        flags = ["--no-input", "--overwrite-if-exists"]
        ours.append(seconds(cookiecutter, *flags, f"task={task}", f"model={model}"))
        nothing.append(seconds(cookiecutter, *flags, template=empty))
        in_process.append(seconds(render, task=task, model=model))
    command, within = median(ours) / median(nothing), min(in_process) / min(nothing)  # other work only adds to a time
    more = median(a - b for a, b in zip(ours, nothing, strict=True))
    print(f"a render / one of an empty template: {command:.2f} as a command, {within:.2f} within this process")
    print(f"a render takes {more:.2f} s more as a command, and {median(in_process):.2f} s within this process")
    assert command < 2.2 and within < 1.2


def seconds(work: Callable[..., object], *arguments: Any, **options: Any) -> float:
    started = time.perf_counter()
    work(*arguments, **options)
    return time.perf_counter() - started
