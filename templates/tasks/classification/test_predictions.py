"""What comes out of a training, by the real commands, is what this task promises."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from {{ cookiecutter.__package }}.cli import main

from .conftest import learn, predict
from .example import bundled

NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])


def test_predictions_have_the_names_of_the_classes(tmp_path: Path) -> None:
    """Whole numbers would hide a mix-up of names and numbers."""
    data = bundled()
    y = NAMES[data["y"]]
    names = sorted(set(y))
    run = learn(tmp_path, "--epochs=12", x=data["x"], y=y[:, None])
    for suffix in (".csv", ".npz"):
        out = predict(run, tmp_path / f"out{suffix}")
        if suffix == ".csv":
            with out.open(newline="") as file:
                rows = list(csv.DictReader(file))
            prediction = [row["prediction"] for row in rows]
            probability = np.array([[float(row[f"probability_{name}"]) for name in names] for row in rows])
        else:
            with np.load(out) as written:
                assert written["probability_names"].tolist() == names
                prediction, probability = written["prediction"].tolist(), written["probability"]
        assert np.allclose(probability.sum(axis=1), 1, atol=1e-5)
        assert [names[k] for k in probability.argmax(axis=1)] == prediction
        assert np.mean(prediction == y) > 0.35  # by chance, 0.1


def test_predictions_of_many_classes_can_be_loaded(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(1200, 1, 8, 8)), np.array([f"类 {k % 400}" for k in range(1200)])
    run = learn(tmp_path, "--epochs=1", "--batch-size=1024", x=x, y=y)
    for suffix in ("npz", "csv"):
        predict(run, tmp_path / f"out.{suffix}")
    assert np.load(tmp_path / "out.npz")["probability"].shape == (1200, 400)
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 1201


def test_scores_are_json_on_every_terminal(tmp_path: Path) -> None:
    """One that knows no Chinese letters gets them as JSON writes them."""
    x, y = bundled()["x"], np.array([f"类{k % 3}" for k in range(len(bundled()["x"]))])
    run = learn(tmp_path, "--epochs=1", x=x, y=y)
    command = [sys.executable, "-m", "{{ cookiecutter.__package }}", "evaluate", str(run), "--device=cpu"]
    for encoding in ("ascii", "utf-8"):
        output = subprocess.check_output(command, env={**os.environ, "PYTHONIOENCODING": encoding})
        assert "f1/类0" in json.loads(output)
        assert ("类" in output.decode()) == (encoding == "utf-8")


def test_fine_tuning_forgets_the_names_of_other_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten classes again, so that every weight fits; but they are others."""
    data = bundled()
    run = learn(tmp_path, "--epochs=1", **data)
    learn(tmp_path, "--epochs=1", f"--init-from={run}", x=data["x"], y=NAMES[data["y"]])
    assert f"init    {run}; weights that start anew: output.weight, output.bias\n" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "shown"), [("狗", "狗"), ("a\x9bb", r"a\u009bb")])
def test_names_in_scores_can_be_read_and_do_no_harm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, shown: str
) -> None:
    run = learn(tmp_path, "--epochs=1", x=np.eye(40, 64).reshape(40, 1, 8, 8), y=np.array([name, "other"] * 20))
    capsys.readouterr()
    assert main(["evaluate", str(run), "--device=cpu"]) == 0
    output = capsys.readouterr().out
    assert f'"f1/{shown}": ' in output and f"f1/{name}" in json.loads(output)


def test_names_that_the_terminal_has_no_letters_for_are_escaped(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=np.eye(40, 64).reshape(40, 1, 8, 8), y=np.array(["猫", "狗"] * 20))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "{{ cookiecutter.__package }}", "train", "--data.path=mine.npz", "--epochs=1"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0 and r"2 classes: '\u72d7', '\u732b'" in result.stdout and result.stderr == ""
    log = next(tmp_path.glob("runs/*/*/train.log"))
    assert "2 classes: '狗', '猫'" in log.read_text(encoding="utf-8")


def test_balanced_weights_find_a_rare_class(tmp_path: Path) -> None:
    """Two classes that overlap, of which one is nine times as frequent: its weight decides how often it is guessed."""
    generator = np.random.default_rng(0)
    y = (np.arange(1000) % 10 == 0).astype(int)
    x = generator.normal(size=(1000, 1, 8, 8)) + 0.25 * y[:, None, None, None]
    guessed = []
    for weights in ("none", "balanced"):
        flags = ["--epochs=8", f"--task.class-weights={weights}", "--data.channels=first"]
        run = learn(tmp_path, *flags, f"--name={weights}", x=x, y=y)
        guessed.append(np.load(predict(run, tmp_path / f"{weights}.npz"))["prediction"].mean())
    assert guessed[1] > guessed[0] + 0.05
