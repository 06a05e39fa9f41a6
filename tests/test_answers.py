"""Whatever is typed at the prompts, nothing runs, nothing is written elsewhere, and every file parses."""

import ast
import io
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import yaml
from cookiecutter.exceptions import FailedHookException
from cookiecutter.main import cookiecutter
from hypothesis import example, given, settings
from hypothesis import strategies as st

from .conftest import ROOT

BAD_SLUGS = [
    "../x", "/tmp/x", "a/b", "a\\b", ".", "..", "~", "A", "a b", "ä", "1a", "-a", "a-", "a--b", "a_", "a.b", "$(id)",
    "class", "import", "random", "compression", "imp", "ttx", "numpy-config",
    "json", "site", "torch", "numpy", "tyro", "yaml", "sympy", "python", "git",
    "tests", "test", "dateutil", "functorch", "mpl-toolkits", "torchrun", "cd", "rm", "gpustat", "triton", "con", "nul",
    "x" * 51, "", " ", "\x1b[31m", "😀", "{{ 1 }}", "a\udcff",
]  # fmt: skip
LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])
TEXTS = st.one_of(
    st.text(LETTERS, max_size=60),
    st.sampled_from(
        [
            '"', "'", '"""', "'''", "\\", "\\n", "${HOME}", "$(touch canary)", "`touch canary`", "; touch canary",
            "{{ 7 * 7 }}", "{% raw %}", "{#", "#: include 'x'", "😀 🎓", "<script>", "a: b", "- [x]", "]]", "#", "%s",
            "{{ cycler.__init__.__globals__.os.system('touch canary') }}", "\u202e", "../../x", "名前", "\u2028",
        ]
    ),
)  # fmt: skip


def answer(output: Path, user_config: Path, **typed: str) -> Path:
    """Render with these answers typed at the prompts (in order), and the defaults for the others."""
    questions = [name for name in json.loads((ROOT / "cookiecutter.json").read_text()) if not name.startswith("_")]
    keys = "".join(typed.get(name, "") + "\n" for name in questions)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()):
        patch.setattr(sys, "stdin", io.StringIO(keys))
        return Path(cookiecutter(str(ROOT), output_dir=str(output), config_file=str(user_config)))


@pytest.mark.parametrize("slug", BAD_SLUGS)
def test_an_impossible_slug_is_refused_before_anything_is_created(tmp_path: Path, user_config: Path, slug: str) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FailedHookException) as caught:
        cookiecutter(
            str(ROOT),
            no_input=True,
            output_dir=str(inside),
            config_file=str(user_config),
            extra_context={"project_slug": "{% raw %}" + slug + "{% endraw %}"},
        )
    sentence = str(caught.value)
    assert sentence.startswith("error: project_slug cannot be '") and sentence.endswith(".") and sentence.isprintable()
    assert len(sentence) < 200 and "; " in sentence
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("question", ["project_name", "description", "author"])
@pytest.mark.parametrize("text", ["two\nlines", "bell\x07", "half\udc80", " ", "x" * 1000])
def test_an_impossible_text_is_refused(tmp_path: Path, user_config: Path, question: str, text: str) -> None:
    with pytest.raises(FailedHookException, match=rf"^error: {question} cannot be '.*'; it must "):
        cookiecutter(
            str(ROOT),
            no_input=True,
            output_dir=str(tmp_path),
            config_file=str(user_config),
            extra_context={"project_slug": "fine", question: text},
        )
    assert list(tmp_path.iterdir()) == []


def test_the_command_answers_in_one_line_and_creates_nothing(tmp_path: Path, user_config: Path) -> None:
    command = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input", f"--config-file={user_config}"]
    command.append("project_slug=torch")
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    rule = "a package, a command or a device has that name; add a word: torch-experiment."
    assert result.returncode == 1
    assert (result.stdout + result.stderr).strip() == f"error: project_slug cannot be 'torch'; {rule}"
    assert list(tmp_path.iterdir()) == []


FEW = settings(max_examples=40, deadline=None, derandomize=True)  # the same on every push
MANY = settings(FEW, max_examples=1000, derandomize=False)
OFTEN = pytest.mark.parametrize(
    "often",
    [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=[pytest.mark.matrix, pytest.mark.scoreboard])],
)


@OFTEN
def test_typed_answers_are_inert(
    user_config: Path, often: settings, record_property: Callable[[str, object], None]
) -> None:
    count = 0

    @often
    @given(project_name=TEXTS, description=TEXTS, author=TEXTS)
    @example(project_name="😀", description="{{ 7 * 7 }}", author='"""')
    @example(project_name="x", description='Ends with a backslash \\"', author="O'Neil \\")
    def check(project_name: str, description: str, author: str) -> None:
        nonlocal count
        count += 1
        with tempfile.TemporaryDirectory() as output:
            type_texts(Path(output), user_config, project_name, description, author)

    check()
    record_property("fuzzed answers", count)


def type_texts(output: Path, user_config: Path, project_name: str, description: str, author: str) -> None:
    """Render with these texts, and look at every file."""
    typed = {"project_name": project_name, "project_slug": "fine", "description": description, "author": author}
    try:
        project = answer(output, user_config, **typed)
    except FailedHookException as refused:
        assert str(refused).startswith("error: ") and list(output.iterdir()) == []
        return
    assert [path.name for path in output.iterdir()] == ["fine"] and not list(output.rglob("canary"))
    assert not Path("canary").exists()
    for path in project.rglob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"))
    for path in project.rglob("*.yml"):
        yaml.safe_load(path.read_text(encoding="utf-8"))
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    description, author = description.strip(), author.strip()  # as the prompt does; an empty line takes the default
    if description:
        assert table["description"] == description
        assert description in (project / "README.md").read_text(encoding="utf-8")
    if author:
        assert table["authors"][0]["name"] == author
        assert author in (project / "LICENSE").read_text(encoding="utf-8")


@OFTEN
def test_a_typed_slug_is_one_folder_or_nothing(
    user_config: Path, often: settings, record_property: Callable[[str, object], None]
) -> None:
    count = 0

    @often
    @given(slug=st.one_of(st.from_regex(r"[a-z0-9_.\-/]{1,12}", fullmatch=True), TEXTS))
    def check(slug: str) -> None:
        nonlocal count
        count += 1
        with tempfile.TemporaryDirectory() as outside:
            type_slug(Path(outside) / "inside", user_config, slug)

    check()
    record_property("fuzzed answers", count)


def type_slug(output: Path, user_config: Path, slug: str) -> None:
    """Render with this slug, and look at what is there."""
    output.mkdir()
    try:
        answer(output, user_config, project_slug=slug)
    except FailedHookException:
        assert list(output.iterdir()) == []
    else:
        assert [path.name for path in output.iterdir()] == [slug.strip() or "my-experiment"]  # as the prompt takes it
    assert list(output.parent.iterdir()) == [output]
