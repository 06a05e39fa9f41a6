"""Other people's arrays: with its default settings, the experiment learns from them, or says why it cannot."""

import json
import re
import shlex
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from benchmarks.reliability.harness import Server

from .conftest import Render, environment, newest_run, run

Project = Callable[[str, str], Path]
SHAPES = {"table": (16,), "signal": (1, 64), "image": (1, 8, 8), "volume": (1, 6, 6, 6)}


def blobs(
    classes: int, samples: int, dtype: str, shape: tuple[int, ...], seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy samples around one prototype per class; their classes are as equal in number as can be."""
    prototypes = np.random.default_rng(0).uniform(0, 255, (classes, *shape))
    generator = np.random.default_rng(seed)
    y = generator.permutation(np.arange(samples) % classes)
    x = prototypes[y] + generator.normal(0, 20, (samples, *shape))
    return x.clip(0, 255).astype(dtype), y


@pytest.mark.parametrize(
    ("name", "model", "flags", "least"),
    [
        ("wine", "mlp", [], 0.9),
        ("breast_cancer", "mlp", [], 0.93),
        pytest.param("digits", "cnn", ["--data.channels=none"], 0.98, marks=pytest.mark.matrix),
        pytest.param("digits", "mlp", [], 0.95, marks=pytest.mark.matrix),
        pytest.param("wine", "cnn", ["--data.channels=none"], 0.9, marks=pytest.mark.matrix),
        pytest.param("breast_cancer", "cnn", ["--data.channels=none"], 0.9, marks=pytest.mark.matrix),
    ],
)
def test_the_defaults_learn_what_scikit_learn_has(
    project: Project, tmp_path: Path, name: str, model: str, flags: list[str], least: float
) -> None:
    bunch = getattr(datasets, f"load_{name}")()
    x = bunch.images if name == "digits" and model == "cnn" else bunch.data
    np.savez(tmp_path / "mine.npz", x=x, y=bunch.target_names[bunch.target] if name != "digits" else bunch.target)
    folder = project("classification", model)
    run(folder, "train", f"--data.path={tmp_path / 'mine.npz'}", f"--runs-dir={tmp_path}", *flags)
    evaluation = json.loads((newest(tmp_path) / "evaluation.json").read_text())
    print(f"{name}, {model}: test accuracy {evaluation['accuracy']:.4f}")
    assert evaluation["accuracy"] >= least, evaluation


def newest(runs: Path) -> Path:
    return max((runs / "my-experiment").iterdir())


def learn(
    folder: Path, tmp_path: Path, classes: int, samples: int, dtype: str, shape: tuple[int, ...], *flags: str
) -> str:
    """Train with the defaults but for the flags; return the accuracy on 1,000 new samples, or why it was refused."""
    for name, count, seed in (("mine", samples, 1), ("new", 1000, 2)):
        x, y = blobs(classes, count, dtype, shape, seed)
        np.savez(tmp_path / f"{name}.npz", x=x, y=y)
    common = ["--data.channels=first", "--device=cpu"]
    command = [sys.executable, "-m", "my_experiment", "train", f"--data.path={tmp_path / 'mine.npz'}", *common]
    result = subprocess.run(
        [*command, f"--runs-dir={tmp_path}", *flags],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
    )
    if result.returncode:
        assert result.returncode == 2 and re.fullmatch(r"error: .+; .+; .+\n", result.stderr), result.stderr
        return result.stderr
    scores, _ = run(folder, "evaluate", str(newest(tmp_path)), f"--data.path={tmp_path / 'new.npz'}", *common)
    return f"{json.loads(scores)['accuracy']:.3f}"


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ("cnn", "table"),
        ("cnn", "image"),
        ("mlp", "table"),
        ("mlp", "signal"),
        pytest.param("cnn", "signal", marks=pytest.mark.matrix),
        pytest.param("cnn", "volume", marks=pytest.mark.matrix),
        pytest.param("mlp", "image", marks=pytest.mark.matrix),
        pytest.param("mlp", "volume", marks=pytest.mark.matrix),
    ],
)
def test_few_samples_are_learned_or_refused(project: Project, tmp_path: Path, model: str, shape: str) -> None:
    folder = project("classification", model)
    if (model, shape) == ("cnn", "table"):
        assert "a cnn needs samples of shape" in learn(folder, tmp_path, 5, 20, "float64", SHAPES[shape])
        return
    assert float(learn(folder, tmp_path, 5, 20, "float64", SHAPES[shape])) >= 0.9
    assert "of the training split" in learn(folder, tmp_path, 500, 20, "uint8", SHAPES[shape])


@pytest.mark.matrix
@pytest.mark.parametrize("model", ["cnn", "mlp"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("classes", "dtype"), [(5, "float64"), (500, "uint8")])
def test_many_samples_are_learned(
    project: Project, tmp_path: Path, classes: int, dtype: str, shape: str, model: str
) -> None:
    if (model, shape) == ("cnn", "table"):
        pytest.skip("a cnn does not take tables; the sentence is tested above")
    few = ["--epochs=3"] if (model, shape) == ("cnn", "volume") else []  # a quarter of an hour would not do for more
    started = time.perf_counter()
    accuracy = learn(project("classification", model), tmp_path, classes, 20_000, dtype, SHAPES[shape], *few)
    seconds = time.perf_counter() - started
    print(f"{model}, {shape}, {classes} classes, 20,000 samples, {dtype}: {accuracy} in {seconds:.0f} s")
    assert float(accuracy) >= 0.9


@pytest.mark.alone
def test_inspect_takes_less_than_two_seconds(digits: Path) -> None:
    """The best of three: other work on the machine only adds to it."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        output, _ = run(digits, "inspect")
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 2, seconds
    for part in (
        "data/digits.npz holds",
        "targets   10 classes",
        "model     in_size 256 = 64 x 2 x 2",
        "train it: my-experiment train",
    ):
        assert part in output


def test_inspect_does_not_wait_for_torch(digits: Path) -> None:
    code = "import sys; from my_experiment.cli import main; sys.exit(main(['inspect']) or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=digits, env=environment(digits), check=True, capture_output=True)


@pytest.fixture(scope="module")
def server(render: Render) -> Iterator[Server]:
    """Starts commands of a render without loading torch for each."""
    with Server(render()) as ready:
        yield ready


@pytest.mark.parametrize(
    ("arrays", "flags"),
    [
        ({"a": np.zeros(3)}, []),
        ({"x": np.zeros((40, 8, 8)), "y": np.arange(40) % 2}, []),
        ({"x": np.full((40, 1, 8, 8), np.nan), "y": np.arange(40) % 2}, []),
        ({"x": np.zeros((40, 1, 8, 8)), "y": np.zeros(40)}, []),
        ({"x": np.zeros((40, 13)), "y": np.arange(40) % 2}, []),
        ({"x": np.zeros((40, 1, 8, 8)), "y": np.arange(40) % 2}, ["--model.in-size=5"]),
        ({"x": np.zeros((4, 1, 8, 8)), "y": np.arange(4)}, []),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_inspect_says_what_train_would_say(
    server: Server, tmp_path: Path, arrays: dict[str, np.ndarray], flags: list[str]
) -> None:
    np.savez(tmp_path / "mine.npz", **arrays)  # type: ignore[arg-type]
    commands = [server.start(name, f"--data.path={tmp_path / 'mine.npz'}", *flags) for name in ("inspect", "train")]
    assert [command.wait() for command in commands] == [2, 2]
    errors = [command.output().partition("error: ")[2] for command in commands]
    assert errors[0] == errors[1] != ""


def test_the_command_that_inspect_prints_trains(digits: Path, tmp_path: Path) -> None:
    x, y = blobs(3, 60, "uint8", (8, 8))
    path = tmp_path / "my data.npz"
    np.savez(path, samples=x, labels=y)
    flags = [f"--data.path={path}", "--data.x=samples", "--data.y=labels", "--data.channels", "none"]
    output, _ = run(digits, "inspect", *flags)
    command = output.splitlines()[-1].removeprefix("train it: my-experiment ")
    script = f"{shlex.quote(sys.executable)} -m my_experiment {command}"
    subprocess.run(["bash", "-ec", script], cwd=digits, env=environment(digits), check=True)
    assert (newest_run(digits) / "evaluation.json").exists()


def test_the_notebook_of_the_readme_works(project: Project, tmp_path: Path) -> None:
    """In the folder of the project; here, of a copy, so that its runs stay alone."""
    folder = project("classification", "mlp")
    (notebook,) = re.findall(r"```python\n(from pathlib.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    x, y = blobs(3, 90, "uint8", (1, 8, 8))
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    code = f"{notebook.rstrip()}.tofile('predicted')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(folder), check=True, capture_output=True)
    assert (np.fromfile(tmp_path / "predicted", np.int64) == y).mean() > 0.9


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory as Linux gives it")
def test_no_memory_is_taken_for_what_a_file_only_claims(digits: Path, tmp_path: Path) -> None:
    """A kilobyte that claims 4 GB, twice consistently: in the array's header and in the zip's directory."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4000000000,), }".ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "data.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        file.writestr("y.npy", b"")
    content = bytearray((tmp_path / "data.npz").read_bytes())
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 4_000_000_000 + 10 + len(header))
    (tmp_path / "data.npz").write_bytes(content)
    code = (
        "import re, sys; from pathlib import Path; from my_experiment.cli import main; code = main(sys.argv[1:]);"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1]); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "inspect", f"--data.path={tmp_path / 'data.npz'}"]
    result = subprocess.run(command, cwd=digits, env=environment(digits), capture_output=True, text=True)
    assert result.returncode == 2 and "cannot read the array (EOF: reading array data" in result.stderr
    assert int(result.stdout.splitlines()[-1]) < 300 * 1024  # KiB


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rules for names")
def test_data_may_lie_anywhere_and_nothing_is_written_beside_it(digits: Path, tmp_path: Path) -> None:
    folder = tmp_path / "数据 von Müller"
    folder.mkdir()
    x, y = blobs(3, 60, "float32", (1, 8, 8))
    np.save(folder / "x.npy", np.asfortranarray(x))
    np.save(folder / "y.npy", y)
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    before = {file: file.stat().st_mtime_ns for file in [folder, *folder.iterdir()]}
    run(digits, "inspect", f"--data.path={folder}")
    run(digits, "train", f"--data.path={folder}", "--epochs=1")
    run(digits, "predict", str(newest_run(digits)), f"--data.path={folder}", f"--out={tmp_path / 'out.csv'}")
    assert {file: file.stat().st_mtime_ns for file in [folder, *folder.iterdir()]} == before
    folder.chmod(0o755)


def test_a_data_file_that_was_cut_off_stops_a_resume_until_it_is_whole(render: Render, tmp_path: Path) -> None:
    project = render()
    x, y = blobs(3, 60, "float32", (1, 8, 8))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    run(project, "train", f"--data.path={tmp_path}", "--epochs=1")
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole[:-100])
    _, errors = run(project, "train", "--resume=auto", "--epochs=2", code=5)
    assert errors.startswith("error: the data has changed since the run began; ")
    (tmp_path / "x.npy").write_bytes(whole)
    output, _ = run(project, "train", "--resume=auto", "--epochs=2")
    assert "epoch 2/2" in output
