"""What is rendered is exact, clean and within its budgets, for every combination that is offered."""

import ast
import json
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from hooks.answers import MODELS

from .conftest import COMBINATIONS, EACH_MODEL, ROOT, Render, combinations, combinations_on_push, run

Project = Callable[[str, str], Path]

MODULES = [  # from top to bottom: a file imports only from files below it
    "__main__", "cli", "resume", "arguments", "commands", "summary", "experiment", "trainer", "inference",
    "figures", "plots", "graph", "saver", "step", "weights", "datasets", "scale", "batches", "augment", "checkpoint",
    "capsule", "data", "stream", "tensors", "task", "model", "optimizer", "losses", "workers", "device",
    "logbook", "early_stopping", "survey", "arrays", "targets", "checks", "splits", "array_file",
    "memory", "pictures", "progress", "run", "parsing", "settings_file", "config", "data_config", "storage", "signals",
    "errors", "torchrun",
]  # fmt: skip
ALONE = {"task", "targets", "model", "optimizer", "logbook", "early_stopping"}  # import no sibling but these three
SHARED = {"config", "errors", "targets"}
COMMANDS = ["evaluate", "import_images", "inspect", "predict", "train"]
TESTS = [
    "architecture", "array_file", "arrays", "augment", "batches", "checkpoint", "cli", "commands", "config", "data",
    "datasets", "device", "early_stopping", "graph", "import_images", "inference", "logbook", "memory", "messages",
    "model", "optimizer", "plots", "predictions", "progress", "resume", "run", "saver", "scale", "settings_file",
    "splits", "step", "stream", "survey", "targets", "task", "trainer", "weights", "workers",
]  # fmt: skip
FILES = {
    ".gitattributes",
    ".github/workflows/ci.yml",
    ".gitignore",
    "LICENSE",
    "README.md",
    "constraints.txt",
    "data/README.md",
    "docs/messages.md",
    "pyproject.toml",
    "scripts/gpustat.sh",
    "scripts/slurm.sbatch",
    "src/my_experiment/__init__.py",
    "src/my_experiment/commands/__init__.py",
    *(f"src/my_experiment/{name}.py" for name in MODULES if name != "commands"),
    *(f"src/my_experiment/commands/{name}.py" for name in COMMANDS),
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/example.py",
    *(f"tests/test_{name}.py" for name in TESTS),
}


DEFAULT_FILES = FILES | {"data/digits.npz"}


def data(task: str) -> str:
    """Return the data that comes with a task."""
    return "data/scenes.npz" if task in ("segmentation", "image_to_image") else "data/digits.npz"


def files(project: Path) -> set[str]:
    return {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}


def python(project: Path) -> list[Path]:
    return sorted((project / "src").rglob("*.py"))


def module(path: Path) -> str:
    """src/my_experiment/commands/train.py -> commands"""
    return "commands" if path.parent.name == "commands" else path.stem


def siblings(path: Path) -> set[str]:
    """Return the modules of the package that a file imports."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom) and node.level]
    return {node.module.split(".")[0] if node.module else "commands" for node in nodes}


def test_scripts_run_wherever_git_has_put_them(render: Render) -> None:
    """Git for Windows ends lines with CRLF, of which a shell makes a syntax error."""
    project = render()
    git = ["git", "-C", str(project), "-c", "core.autocrlf=true", "-c", "core.safecrlf=false"]
    scripts = sorted((project / "scripts").iterdir())
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    for script in scripts:
        script.unlink()
    subprocess.run([*git, "checkout", "-q", "."], check=True)
    assert len(scripts) == 2 and not any(b"\r" in script.read_bytes() for script in scripts)


@combinations
def test_the_files_are_exactly_these(render: Render, task: str, model: str) -> None:
    assert files(render(task=task, model=model)) == FILES | {data(task)}


@combinations
def test_every_file_parses_and_nothing_of_the_template_is_left(project: Project, task: str, model: str) -> None:
    folder = project(task, model)
    for name in FILES:
        text = (folder / name).read_text(encoding="utf-8")
        assert not re.search(r"\{\{|\{%|^#:|cookiecutter", text, re.MULTILINE), name
        assert not re.search(r"[ \t]+$|\n\n\Z|[^\n]\Z", text, re.MULTILINE) or name.endswith("__init__.py"), name
        if name.endswith(".py"):
            ast.parse(text)
    tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    yaml.safe_load((folder / ".github/workflows/ci.yml").read_text(encoding="utf-8"))


def test_the_template_parses_before_it_is_rendered() -> None:
    """So that editors and linters can read it; tests name the package in their imports, and cannot."""
    for folder in ("{{cookiecutter.project_slug}}/src", "templates", "hooks"):
        for path in (ROOT / folder).rglob("*.py"):
            if not path.name.startswith("test_"):
                ast.parse(path.read_text(encoding="utf-8"))


@combinations
def test_lint_and_format(project: Project, task: str, model: str) -> None:
    for command in (["check"], ["format", "--check"]):
        subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."], cwd=project(task, model), check=True
        )


@combinations_on_push(EACH_MODEL)
def test_types(project: Project, check_types: Callable[[Path], None], task: str, model: str) -> None:
    check_types(project(task, model))


def test_types_of_the_generator(check_types: Callable[[Path], None]) -> None:
    check_types(ROOT)


@combinations
def test_imports_flow_down(project: Project, task: str, model: str) -> None:
    for path in python(project(task, model)):
        if path.stem == "__init__":
            continue
        here = module(path)
        below = set(MODULES[MODULES.index(here) + 1 :])
        assert siblings(path) <= below, f"{path.name} imports from above"
        if here in ALONE:
            assert siblings(path) <= SHARED, path.name


def test_files_of_the_package_without_jinja_are_copied_as_they_are() -> None:
    """It saves a sixth of the time of a render."""
    patterns = json.loads((ROOT / "cookiecutter.json").read_text())["_copy_without_render"]
    for path in (ROOT / "{{cookiecutter.project_slug}}/src").rglob("*.py"):
        plain = not re.search(r"\{\{|\{%|\{#|^ *#:", path.read_text(), re.MULTILINE)
        assert plain == any(path.match(pattern) for pattern in patterns), path.name


@combinations
def test_no_file_is_longer_than_its_budget(project: Project, task: str, model: str) -> None:
    total = 0
    for path in python(project(task, model)):
        lines = len(path.read_text().splitlines())
        limit = 200 if path.stem == "trainer" else 80 if path.parent.name == "commands" else 150
        assert lines <= limit, f"{path.name} has {lines} lines"
        total += sum(bool(line.strip()) for line in path.read_text().splitlines())
    assert total <= 4210, f"the package has {total} lines that are not blank"


@combinations
def test_what_a_reader_begins_with_is_short(project: Project, task: str, model: str) -> None:
    path = project(task, model)
    _, begin, rest = (path / "README.md").read_text().partition("Begin with these, about a thousand lines: ")
    names = re.findall(r"`(\w+\.py)`", rest.partition("Open the others")[0])
    text = "".join((path / "src" / "my_experiment" / name).read_text() for name in names)
    assert begin and len(names) == 10 and sum(bool(line.strip()) for line in text.splitlines()) <= 1000


@combinations
def test_the_package_is_named_only_where_it_must_be(project: Project, task: str, model: str) -> None:
    for path in python(project(task, model)):
        assert "my_experiment" not in path.read_text(), path.name


@combinations
def test_nothing_outside_the_choices_asks_which_task_or_model_it_is(project: Project, task: str, model: str) -> None:
    """Each file that is not chosen is the same in all combinations."""
    chosen = {"model.py", "task.py", "targets.py", "figures.py", "config.py", "data_config.py"}
    first = project(*COMBINATIONS[0])
    for path in python(project(task, model)):
        if path.name not in chosen:
            assert path.read_bytes() == (first / path.relative_to(project(task, model))).read_bytes(), path.name


@combinations
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_readme_lists_every_module(render: Render, task: str, model: str, language: str) -> None:
    readme = (render(task=task, model=model, readme_language=language) / "README.md").read_text(encoding="utf-8")
    tree = readme.split("src/my_experiment/\n")[1]
    listed = re.findall(r"^    (\w+)(?:\.py|/) ", tree, re.MULTILINE)
    assert listed == [name for name in MODULES if name != "__main__"]
    assert ("## 训练\n" in readme) == (language == "zh-CN")
    assert ("## Training\n" in readme) == (language == "en")


@pytest.mark.parametrize("folder", ["models", "tasks"])
def test_neither_a_model_nor_a_task_names_the_other(folder: str) -> None:
    others = "|".join(MODELS if folder == "models" else {model for models in MODELS.values() for model in models})
    for path in (ROOT / "templates" / folder).rglob("*.py"):
        assert not re.search(rf"\b({others})\b", path.read_text(encoding="utf-8")), path


def test_the_readmes_say_the_same_in_both_languages() -> None:
    """Headings, code and code spans: of the README, and of the parts of it that belong to a model or a task."""
    pages = [ROOT / "templates/readmes/en.md", *(ROOT / "templates").rglob("readme*.en.md")]
    assert len(pages) > 10
    for page in pages:
        pair = (page, page.with_name(page.name.replace("en.md", "zh-CN.md")))
        texts = (path.read_text(encoding="utf-8") for path in pair)
        english, chinese = (sorted(re.findall(r"^#+ |^```\w*$|`[^`\n]+`", text, re.MULTILINE)) for text in texts)
        assert english == chinese, page


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_flag_that_is_written_of_exists(render: Render, language: str) -> None:
    project = render(readme_language=language)
    # Of other programs; and `--model`, which stands for the settings of that group.
    known = {
        "--help",
        "--nproc-per-node",
        "--nnodes",
        "--rdzv-backend",
        "--rdzv-endpoint",
        "--logdir",
        "--check",
        "--model",
    }
    for command in ("train", "inspect", "evaluate", "predict", "import-images"):
        known |= set(re.findall(r"--[a-z][\w.-]*", run(project, command, "--help")[0]))
    pages = [project / "README.md", project / "docs/messages.md", project / "data/README.md"]
    for page in pages:
        code = re.findall(r"```sh\n.*?```|`[^`\n]+`", page.read_text(encoding="utf-8"), re.DOTALL)
        written = {flag.rstrip(".") for span in code for flag in re.findall(r"(?<![\w-])--[a-z][\w.-]*", span)}
        assert written - known == set(), page


def test_the_readmes_give_the_same_numbers_in_both_languages() -> None:
    for page in [ROOT / "templates/readmes/en.md", *(ROOT / "templates").rglob("readme*.en.md")]:
        pair = (page, page.with_name(page.name.replace("en.md", "zh-CN.md")))
        texts = (re.sub(r"```.*?```|`[^`\n]+`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL) for path in pair)
        english, chinese = (sorted(re.findall(r"\d+(?:[.,]\d+)*", text)) for text in texts)
        assert english == chinese, page


@combinations
def test_the_messages_are_the_same_in_both_languages(render: Render, task: str, model: str) -> None:
    """That the English ones are those of the code, is a test of the rendered project."""
    pages = [render(task=task, model=model, readme_language=name) / "docs/messages.md" for name in ("en", "zh-CN")]
    english, chinese = (re.findall(r"^### (`.+)", page.read_text(encoding="utf-8"), re.MULTILINE) for page in pages)
    assert english == chinese and len(english) > 50


@pytest.mark.parametrize("license_name", ["MIT", "BSD-3-Clause", "Apache-2.0"])
def test_licenses(render: Render, license_name: str) -> None:
    folder = render(license=license_name, author="Ada Lovelace")
    text = (folder / "LICENSE").read_text()
    year = time.strftime("%Y")
    assert re.search(rf"Copyright (\(c\) )?{year},? Ada Lovelace", text)
    assert {"MIT": "MIT License", "BSD-3-Clause": "BSD 3-Clause License", "Apache-2.0": "Apache License"}[
        license_name
    ] in text
    project_table = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project_table["license"] == license_name and project_table["authors"] == [{"name": "Ada Lovelace"}]


def test_without_ci_there_is_no_workflow(render: Render) -> None:
    folder = render(ci="none")
    assert files(folder) == FILES - {".github/workflows/ci.yml"} | {"data/digits.npz"}
    assert not (folder / ".github").exists()


def test_the_slug_names_folder_package_and_command(render: Render) -> None:
    folder = render(project_name="Cats and Dogs")
    assert folder.name == "cats-and-dogs" and (folder / "src/cats_and_dogs/cli.py").exists()
    scripts = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"cats-and-dogs": "cats_and_dogs.__main__:run"}


def test_scripts_stay_executable(render: Render) -> None:
    assert (render() / "scripts/gpustat.sh").stat().st_mode & 0o111


def test_what_is_asked_is_what_is_offered() -> None:
    questions = json.loads((ROOT / "cookiecutter.json").read_text())
    asked = [name for name in questions if not name.startswith("_")]
    assert asked == [
        "project_name", "project_slug", "description", "author", "task", "model", "readme_language", "license", "ci",
    ]  # fmt: skip
    assert set(questions["__prompts__"]) == set(asked)
    assert list(MODELS) == questions["task"]
    assert {model for models in MODELS.values() for model in models} == set(questions["model"])
    assert questions["model"][0] in MODELS[questions["task"][0]]  # the defaults fit
    numbers = re.findall(r"(\d+) combinations", (ROOT / "README.md").read_text())
    assert set(numbers) == {str(len(COMBINATIONS))}
    assert {path.name for path in (ROOT / "templates/models").iterdir()} == set(questions["model"])
    assert {path.name for path in (ROOT / "templates/tasks").iterdir()} == set(questions["task"])


def test_the_link_is_a_name_that_one_can_type() -> None:
    """That nothing depends on it is shown by the zip and by the clone without links, in test_cookiecutter.py."""
    assert (ROOT / "template").is_symlink()
    assert (ROOT / "template").resolve() == ROOT / "{{cookiecutter.project_slug}}"
