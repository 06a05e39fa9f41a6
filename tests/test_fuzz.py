"""Whatever a file or a command line holds, the answer is one sentence: no traceback, no execution, no run directory."""

import importlib
import pickle
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Render

Call = Callable[..., int]
SENTENCE = re.compile(r"error: [^\n]+; [^\n]+; [^\n]+\n")
FEW = settings(
    max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MANY = settings(FEW, max_examples=2000, derandomize=False)


@pytest.fixture(scope="module")
def main(render: Render) -> Iterator[Callable[[list[str]], int]]:
    """The command line of a rendered project, in this process: thousands of calls in a minute."""
    project = render(project_name="Fuzz Me")
    sys.path.insert(0, str(project / "src"))
    yield importlib.import_module("fuzz_me.cli").main
    sys.path.remove(str(project / "src"))


@pytest.fixture
def call(
    main: Callable[[list[str]], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Call]:
    """Call it in an empty folder; a failure must be one sentence, exit code 2, and must leave nothing behind."""
    monkeypatch.chdir(tmp_path)
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]
    handlers = {number: signal.getsignal(number) for number in numbers}

    def run(*arguments: str) -> int:
        before = sorted(tmp_path.rglob("*"))
        capfd.readouterr()
        try:
            code = main(list(arguments))
        except SystemExit as leaving:  # --help
            code = int(leaving.code or 0)
        errors = capfd.readouterr().err
        assert code in (0, 2), f"{arguments}: {code}, {errors}"
        assert SENTENCE.fullmatch(errors) if code else errors == "", f"{arguments}: {errors}"
        assert sorted(tmp_path.rglob("*")) == before
        return code

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


class Canary:
    """Leaves a file behind if it is ever unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("canary"),)


def bases() -> dict[str, dict[str, bytes]]:
    """Return whole files of every kind by name, as they would be saved."""
    folder = Path("base")
    folder.mkdir()
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 99, (40, 1, 3, 3)).astype(">i2"), np.arange(40) % 2
    arrays = {"x": x, "y": y.astype("U3"), "groups": np.arange(40) // 4}
    np.savez(folder / "stored.npz", **arrays)  # type: ignore[arg-type]
    np.savez_compressed(folder / "deflated.npz", **arrays)  # type: ignore[arg-type]
    np.savez(folder / "objects.npz", allow_pickle=True, x=np.array([[Canary()] * 40], object).T, y=y)
    np.save(folder / "x.npy", np.asfortranarray(x.astype(np.float64)))
    np.save(folder / "y.npy", y[:, None].astype(np.float32))
    (folder / "pickle.npz").write_bytes(pickle.dumps({"x": Canary()}))
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    shutil.rmtree(folder)
    return {name: {name: content} for name, content in files.items() if name.endswith("npz")} | {
        "folder": {name: content for name, content in files.items() if name.endswith("npy")}
    }


@st.composite
def changes(draw: st.DrawFn, content: bytes) -> bytes:
    """Return the file with a few bytes changed, lost or added; headers, where it matters, are hit most."""
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.one_of(st.integers(0, 200), st.integers(0, len(content)), st.integers(-400, 0)))
        place = min(len(content), place % (len(content) + 1))
        some = draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"9", b"-1", b"(", b"'", b"\x00", b"O8", b"\n"])))
        kind = draw(st.sampled_from(["overwrite", "insert", "cut", "truncate", "flip"]))
        if kind == "overwrite":
            content = content[:place] + some + content[place + len(some) :]
        elif kind == "insert":
            content = content[:place] + some + content[place:]
        elif kind == "cut":
            content = content[:place] + content[place + draw(st.integers(1, 50)) :]
        elif kind == "truncate":
            content = content[:place]
        elif place < len(content):
            content = content[:place] + bytes([content[place] ^ 1 << draw(st.integers(0, 7))]) + content[place + 1 :]
    return content


KINDS = pytest.mark.parametrize("kind", ["stored.npz", "deflated.npz", "objects.npz", "pickle.npz", "folder"])


def damage(call: Call, kind: str, often: settings) -> int:
    """Damage a file of this kind so often, and return how many times that was."""
    files = bases()[kind]
    assert call_on(call, files) == (2 if kind in ("objects.npz", "pickle.npz") else 0)
    codes = []

    @often
    @given(st.data())
    def check(data: st.DataObject) -> None:
        changed = {name: data.draw(changes(content)) for name, content in files.items()}
        codes.append(call_on(call, changed))

    check()
    assert codes.count(2) > len(codes) / 4
    assert not Path("canary").exists()
    return len(codes)


def call_on(call: Call, files: dict[str, bytes]) -> int:
    """Write the files, look at them, remove them."""
    folder = Path("data")
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    path = folder / next(iter(files)) if len(files) == 1 else folder
    return call("inspect", f"--data.path={path}", "--data.channels=first")


@KINDS
def test_a_damaged_file_gets_one_sentence(call: Call, kind: str) -> None:
    damage(call, kind, FEW)


@pytest.mark.matrix
@pytest.mark.scoreboard
@KINDS
def test_ten_thousand_damaged_files_get_one_sentence(
    call: Call, kind: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("damaged files", damage(call, kind, MANY))


FLAGS = [
    "--lr", "--epochs", "--batch-size", "--patience", "--seed", "--name", "--runs-dir", "--device", "--precision",
    "--monitor", "--data.x", "--data.groups", "--data.channels", "--data.split", "--data.split-seed", "--model.in-size",
    "--config", "--resume", "--init-from", "--fast-dev-run", "--deterministic", "--help", "--debugg", "--out",
    "--split", "--", "-h",
]  # fmt: skip
VALUES = [
    "nan", "inf", "-1", "0", "1e400", "0x10", "None", "null", "", " ", "auto", "no/where", "..", "../../x", "cuda:99",
    "1,2",
    "\x1b[31m", "名字", "a b", "{}", "x" * 300, "true", "9" * 30,
]  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(FLAGS),
    st.sampled_from(VALUES),
    st.builds("{}={}".format, st.sampled_from(FLAGS), st.sampled_from(VALUES)),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)


@pytest.mark.parametrize("command", ["train", "inspect", "evaluate", "predict"])
@FEW
@given(words=st.lists(WORDS, max_size=5))
def test_a_random_command_line_gets_one_sentence(call: Call, command: str, words: list[str]) -> None:
    call(command, *words, "--data.path=nowhere.npz")


@FEW
@given(words=st.lists(WORDS, max_size=3))
def test_a_random_command_gets_one_sentence(call: Call, words: list[str]) -> None:
    if not {"train", "inspect", "evaluate", "predict"} & set(words):
        call(*words)
