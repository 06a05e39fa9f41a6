"""The walk through CONTRIBUTING.md makes a new model that is rendered, linted, tested and trained."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .conftest import ROOT, run


def test_the_new_model_of_the_walk_through_works(
    house: Path, tmp_path: Path, user_config: Path, check_types: Callable[[Path], None]
) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    steps = re.findall(r"`(templates/models/gru/[\w.]+)`.*?```\w+\n(.*?)```", text, re.DOTALL)
    assert [Path(name).name for name, _ in steps] == [
        "model.py", "settings.py", "test_architecture.py", "readme.en.md", "messages.en.md",
    ]  # fmt: skip
    (house / "templates/models/gru").mkdir()
    for name, content in steps:
        (house / name).write_text(content, encoding="utf-8")
        if ".en." in name:  # the same in Chinese
            (house / name.replace(".en.", ".zh-CN.")).write_text(content, encoding="utf-8")
    (line,) = re.findall(r"^ONE_ROW = .*gru.*$", text, re.MULTILINE)
    replace(house / "hooks/answers.py", r"^ONE_ROW = .*$", line)
    (prompt,) = re.findall(r'^"gru": .*$', text, re.MULTILINE)
    questions = json.loads((house / "cookiecutter.json").read_text())
    questions["model"].append("gru")
    questions["__prompts__"]["model"] |= json.loads("{" + prompt + "}")
    (house / "cookiecutter.json").write_text(json.dumps(questions))
    subprocess.run([sys.executable, "-m", "scripts.record_outputs", "classification-gru"], cwd=house, check=True)

    # By its command, from elsewhere: Python would find the hooks of this repository first.
    command = [sys.executable, "-m", "cookiecutter", str(house), "--no-input", f"--config-file={user_config}"]
    subprocess.run([*command, "model=gru"], cwd=tmp_path, check=True)
    project = tmp_path / "my-experiment"
    for command in (["check"], ["format", "--check"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, "--no-cache"], cwd=project, check=True)
    check_types(project)
    tests = [f"tests/test_{name}.py" for name in ("architecture", "model", "messages")]
    subprocess.run([sys.executable, "-m", "pytest", "-q", *tests], cwd=project, check=True)

    run(project, "train", "--epochs=1")
    assert "GRU with" in (project / "README.md").read_text()  # what the recorded training printed


def replace(path: Path, pattern: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(re.findall(pattern, text, re.MULTILINE)) == 1
    path.write_text(re.sub(pattern, new, text, flags=re.MULTILINE), encoding="utf-8")
