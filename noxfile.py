"""The tasks of the generator; `nox --list` names them all.

python -m pip install nox && nox -s demo     # renders the defaults, installs them, trains on the digits
python -m pip install nox && nox -s tests    # passes all tests but the long ones
"""

import json
import os
import shutil
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
OWN_CODE = ["benchmarks", "hooks", "noxfile.py", "scripts", "tests"]
CONSTRAINTS = ROOT / "{{cookiecutter.project_slug}}" / "constraints.txt"

nox.options.sessions = ["tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def demo(session: nox.Session) -> None:
    """Render the defaults into `demo/`, install them as their README says, and train on the bundled digits."""
    for name in ("src", "tests"):  # of an older one, whose runs stay
        shutil.rmtree(ROOT / "demo" / "my-experiment" / name, ignore_errors=True)
    project = render_defaults(session, ROOT / "demo")
    session.chdir(project)
    session.run(sys.executable, "-m", "venv", ".venv", external=True)
    binaries = project / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    session.run(
        str(binaries / "python"), "-m", "pip", "install", "-q", "-e", ".", "-c", "constraints.txt", external=True
    )
    session.run(str(binaries / "my-experiment"), "train", external=True)
    session.log(f"look at the run: {binaries / 'tensorboard'} --logdir {project / 'runs'}")


@nox.session
def tests(session: nox.Session) -> None:
    """Lint, render, train and install, as on every push; arguments go to pytest."""
    install(session)
    lint_generator(session)
    run_tests(session, "not matrix")


@nox.session
def lint(session: nox.Session) -> None:
    """Check the generator's own code; what it renders is checked by the tests."""
    session.install("ruff", "-c", str(CONSTRAINTS))
    lint_generator(session)


@nox.session
def matrix(session: nox.Session) -> None:
    """Run the long tests, which `tests` leaves out: all rendered suites, five seeds; then count what is survived."""
    install(session, "tests", "bench")
    run_tests(session, "matrix and not scoreboard")
    session.run("python", "-m", "benchmarks.reliability.scoreboard")


@nox.session(python="3.11")  # newer ones have no wheels of the oldest packages
@nox.parametrize("which", ["oldest", "newest"])
def versions(session: nox.Session, which: str) -> None:
    """Run a rendered suite with the oldest and the newest packages that its pyproject.toml allows: 6 GB each."""
    shutil.rmtree(session.create_tmp())  # of the last time
    project = render_defaults(session, Path(session.create_tmp()))
    wanted = nox.project.load_toml(project / "pyproject.toml")["project"]["dependencies"]
    session.install("--upgrade", *(each.replace(">=", "==") if which == "oldest" else each for each in wanted))
    session.install("--no-deps", "-e", str(project))
    session.install("pytest", "pytest-xdist")
    session.chdir(project)
    session.run("pytest", "-n", "auto", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def scoreboard(session: nox.Session) -> None:
    """Kill, corrupt and fail a rendered project, and write the table: two hours. Arguments go to the script."""
    install(session, "tests", "bench")
    session.run("python", "-m", "benchmarks.reliability.scoreboard", *session.posargs)


@nox.session
def quality(session: nox.Session) -> None:
    """Train the defaults against references, and write the table: an hour on two cores. Arguments go to the script."""
    install(session)
    session.run("python", "-m", "benchmarks.quality.quality", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Time the experiment beside its peers, and write the table: nearly two hours. Arguments go to the script."""
    install(session, "tests", "bench")
    session.run("python", "-m", "benchmarks.speed.bench", *session.posargs)


@nox.session
def scaling(session: nox.Session) -> None:
    """Time epochs while one thing grows, and plot it: a quarter of an hour. Arguments go to the script."""
    install(session)
    session.run("python", "-m", "benchmarks.scaling.scaling", *session.posargs)


@nox.session(venv_backend="none")
def cuda(session: nox.Session) -> None:
    """Train every choice on a GPU, with the packages of the environment that nox was started in."""
    session.run(sys.executable, "-m", "pytest", "tests/test_cuda.py", "-rs", *session.posargs)


def render_defaults(session: nox.Session, folder: Path) -> Path:
    """Render the defaults into a folder, and return where they are."""
    session.install("cookiecutter>=2.7")
    config = Path(session.create_tmp()) / "cookiecutter.yaml"  # without it, HOME must be writable
    config.write_text(json.dumps({f"{name}_dir": str(config.parent / name) for name in ("replay", "cookiecutters")}))
    options = ("--no-input", f"--config-file={config}", "--overwrite-if-exists", f"--output-dir={folder}")
    session.run("cookiecutter", str(ROOT), *options)
    return folder / "my-experiment"


def install(session: nox.Session, *groups: str) -> None:
    """Install what the tests need, and further groups, in the versions that the rendered project pins."""
    project = nox.project.load_toml("pyproject.toml")
    session.install(*nox.project.dependency_groups(project, *(groups or ["tests"])), "-c", str(CONSTRAINTS))


def run_tests(session: nox.Session, which: str) -> None:
    """Run tests side by side, a thread each; then, one by one, those that measure time."""
    one_thread, codes = {"OMP_NUM_THREADS": "1"}, [0, 5] if session.posargs else [0]  # 5: they chose none of these
    beside = ["-n", "auto", "--dist", "worksteal", "--durations=20", *session.posargs]
    session.run("pytest", "-rs", "-m", f"({which}) and not alone", *beside, env=one_thread, success_codes=codes)
    session.run("pytest", "-rs", "-m", f"({which}) and alone", *session.posargs, success_codes=codes)


def lint_generator(session: nox.Session) -> None:
    """Check style and format of the generator's own Python."""
    session.run("ruff", "check", *OWN_CODE)
    session.run("ruff", "format", "--check", *OWN_CODE)
