"""Renders the template, in-process and without touching HOME, and starts what was rendered."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from benchmarks import origin
from hooks.answers import MODELS

ROOT = Path(__file__).parents[1]
STARTED: "list[subprocess.Popen[str]]" = []  # commands of the running test
# Every pair of task and model that is offered: all are rendered, checked and trained.
COMBINATIONS = [(task, model) for task, models in MODELS.items() for model in models]
# On every push, these stand for all of them where a test takes long: each task once.
HANDFUL = {
    ("classification", "cnn"), ("multilabel", "vit"), ("regression", "mlp"), ("segmentation", "unet"),
    ("image_to_image", "unet"),
}  # fmt: skip
# And these for all models: each of the others with its first task.
FIRST = {model: (task, model) for task, model in reversed(COMBINATIONS)}
EACH_MODEL = HANDFUL | {FIRST[model] for model in FIRST if model not in {each for _, each in HANDFUL}}
Render = Callable[..., Path]
combinations = pytest.mark.parametrize(("task", "model"), COMBINATIONS, ids=["-".join(pair) for pair in COMBINATIONS])


def combinations_on_push(some: set[tuple[str, str]]) -> pytest.MarkDecorator:
    """Take all combinations as parameters, of which `nox -s matrix` runs those that are not among these."""
    pairs = [pytest.param(*pair, marks=() if pair in some else pytest.mark.matrix) for pair in COMBINATIONS]
    return pytest.mark.parametrize(("task", "model"), pairs, ids=["-".join(pair) for pair in COMBINATIONS])


def repository_files() -> list[str]:
    """Return the names of the files that the repository has as it is now, but for links."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of this repository that a test may change."""
    for name in repository_files():
        (tmp_path / "house" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "house" / name)
    return tmp_path / "house"


@pytest.fixture(scope="session")
def user_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return origin.write_user_config(tmp_path_factory.mktemp("user"))


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Render with the given answers into a new folder; return the project's folder."""
    return lambda **answers: origin.render(tmp_path_factory.mktemp("render"), **answers)


@pytest.fixture(scope="session")
def project(render: Render) -> Callable[[str, str], Path]:
    """A render of each combination that is made once; tests leave it as it is."""
    made: dict[tuple[str, str], Path] = {}

    def get(task: str, model: str) -> Path:
        if (task, model) not in made:
            made[task, model] = render(task=task, model=model)
        return made[task, model]

    return get


@pytest.fixture(scope="session")
def check_types(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[Path], None]:
    """Check the types of a project; by one worker at a time, so that torch is read once for all."""
    base = tmp_path_factory.getbasetemp()
    cache = (base if worker_id == "master" else base.parent) / "mypy"

    def check(project: Path) -> None:
        command = [sys.executable, "-m", "mypy", "--cache-dir", str(cache)]
        with FileLock(f"{cache}.lock"):
            result = subprocess.run(command, cwd=project, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout

    return check


@pytest.fixture
def digits(render: Render) -> Path:
    """A render of the defaults that a test may change, and train in."""
    return render()


@pytest.fixture(autouse=True)
def without_gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine with a GPU, commands see it in test_cuda.py only: elsewhere, runs are compared to the bit."""
    if not request.node.get_closest_marker("cuda"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture(autouse=True)
def nothing_goes_on_training() -> Iterator[None]:
    """Whatever a test that fails leaves running is killed: it would slow down all the others."""
    yield
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                    child.kill()
            process.kill()
            process.wait()


def environment(project: Path, **variables: str) -> Mapping[str, str]:
    """Return the environment in which a project that is not installed runs, and says everything at once."""
    return origin.environment(project, PYTHONUNBUFFERED="1", **variables)


def start(project: Path, *arguments: str, **options: object) -> "subprocess.Popen[str]":
    """Start the real command of a rendered project; its output is text."""
    (package,) = (folder.name for folder in (project / "src").iterdir() if (folder / "cli.py").exists())
    settings: dict[str, object] = {
        "cwd": project,
        "env": environment(project),
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        **options,
    }
    STARTED.append(subprocess.Popen([sys.executable, "-m", package, *arguments], **settings))  # type: ignore[call-overload]
    return STARTED[-1]


def run(project: Path, *arguments: str, code: int = 0, **options: object) -> tuple[str, str]:
    """Run the real command to its end, check its exit code, and return stdout and stderr."""
    process = start(project, *arguments, **options)
    output, errors = process.communicate(timeout=600)
    assert process.returncode == code, f"{output}\n{errors}"
    return output, errors


def wait_for(process: "subprocess.Popen[str]", text: str) -> list[str]:
    """Read the output of a command until a line begins with the text; return the lines."""
    assert process.stdout and process.stderr
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(text):
            return lines
    pytest.fail(f"it ended without {text!r}: {process.stderr.read()}")


def newest_run(project: Path, name: str = "my-experiment") -> Path:
    """Return the newest run directory of a project."""
    return max((project / "runs" / name).iterdir())
