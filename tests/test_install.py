"""The commands of the rendered README, typed by a new user in a clean environment."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import EACH_MODEL, HANDFUL, Render, combinations, environment


def shell_commands(project: Path) -> list[str]:
    """Return the README's lines that install something, as a person would copy them."""
    return re.findall(r"^python -m pip install .*$", (project / "README.md").read_text(), re.MULTILINE)


@pytest.mark.install
def test_the_readme_commands_work_in_a_clean_environment(render: Render, tmp_path: Path) -> None:
    project = render(project_name="Install Me")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    clean["PATH"] = f"{tmp_path / 'venv/bin'}{os.pathsep}{clean['PATH']}"
    train, test = shell_commands(project)
    assert train.endswith("&& install-me train") and test.endswith("&& pytest")
    for command in (train, test):
        result = subprocess.run(["bash", "-ec", command], cwd=project, env=clean, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
    (log,) = project.glob("runs/install-me/*/train.log")
    assert_learned(log)


@pytest.mark.install
@pytest.mark.matrix
def test_the_demo_trains_each_time_it_is_asked_for(house: Path) -> None:
    for count in (1, 2):
        result = subprocess.run([sys.executable, "-m", "nox", "-s", "demo"], cwd=house, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
        logs = list(house.glob("demo/my-experiment/runs/my-experiment/*/train.log"))
        assert len(logs) == count  # those of the first time stay
        for log in logs:
            assert_learned(log)


def assert_learned(log: Path) -> None:
    assert re.search(r"^test accuracy (0\.9[89]|1\.00)", log.read_text(), re.MULTILINE)


# The tests of a rendered project that depend on its task, and those that depend on its model.
OF_TASK = ("arrays", "inference", "messages", "predictions", "targets", "task")
OF_MODEL = ("architecture", "model", "step")  # the trainer knows no model
SOME = {
    ("segmentation", "unet"): OF_TASK,  # the other task of a unet tests the model
    ("classification", "alexnet"): (*OF_MODEL, "inference", "trainer"),  # which enlarges all samples of the tests
}
OTHERS = sorted(EACH_MODEL - {("classification", "cnn")})  # than the defaults


def run_rendered_tests(project: Path, *files: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        cwd=project, env=environment(project), capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-5000:]


@pytest.mark.rendered
@pytest.mark.parametrize(("task", "model"), OTHERS, ids=["-".join(pair) for pair in OTHERS])
def test_the_rendered_tests_that_depend_on_the_choices_pass(render: Render, task: str, model: str) -> None:
    """On every push; all those of the defaults run in the clean environment above, and all of all below."""
    names = SOME.get((task, model), OF_TASK + OF_MODEL if (task, model) in HANDFUL else OF_MODEL)
    run_rendered_tests(render(task=task, model=model), *(f"tests/test_{name}.py" for name in names))


@pytest.mark.rendered
@pytest.mark.matrix
@combinations
def test_all_rendered_tests_pass(render: Render, task: str, model: str) -> None:
    run_rendered_tests(render(task=task, model=model))
