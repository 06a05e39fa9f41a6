"""A project follows its template: `cruft create`, `check` and `update`, with local changes that stay."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.origin import write_user_config

IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "tests"), ("EMAIL", "tests@localhost"))
}


@pytest.fixture
def call(tmp_path: Path):
    """Run a command with nothing of the user's own configuration; return stdout."""
    environment = {
        **os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull,
        "COOKIECUTTER_CONFIG": str(write_user_config(tmp_path)), "PYTHONPATH": "",
    }  # fmt: skip

    def run(folder: Path, *command: str, code: int = 0) -> str:
        result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout

    return run


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_project_with_local_changes_gets_those_of_its_template(call, house: Path, tmp_path: Path) -> None:
    def commit(folder: Path) -> None:
        call(folder, "git", "init", "-q")
        call(folder, "git", "add", "--all")
        call(folder, "git", "commit", "-q", "-m", "a change")

    commit(house)
    cruft = (sys.executable, "-m", "cruft")
    call(tmp_path, *cruft, "create", str(house), "--no-input", "--extra-context", '{"model": "mlp"}')
    project = tmp_path / "my-experiment"
    assert "class MLP" in (project / "src/my_experiment/model.py").read_text()
    call(project, *cruft, "check")

    replace(project / "src/my_experiment/config.py", "epochs: int = 60", "epochs: int = 7")
    (project / "notes.md").write_text("what I found\n")
    commit(project)

    # A newer template: another default, a new file, and an extension that the older one does not have.
    tree = house / "{{cookiecutter.project_slug}}"
    replace(tree / "src/{{cookiecutter.__package}}/config.py", "patience: int = 20", "patience: int = 30")
    (tree / "NEWS.md").write_text("{{ 'news' | shout }}\n")
    replace(
        house / "hooks/answers.py",
        '        environment.filters["toml"] = toml\n',
        '        environment.filters["toml"] = toml\n        environment.filters["shout"] = str.upper\n',
    )
    commit(house)

    assert "out of date" in call(project, *cruft, "check", code=1)
    call(project, *cruft, "update", "--skip-apply-ask")
    config = (project / "src/my_experiment/config.py").read_text()
    assert "epochs: int = 7" in config and "patience: int = 30" in config
    assert (project / "NEWS.md").read_text() == "NEWS\n" and (project / "notes.md").read_text() == "what I found\n"
    assert not list(project.rglob("*.rej"))
    call(project, *cruft, "check")
