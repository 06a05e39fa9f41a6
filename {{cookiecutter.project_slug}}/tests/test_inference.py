"""A trained run scores and predicts as it was trained: its own splits, statistics and names."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from {{ cookiecutter.__package }}.array_file import ArrayFile
from {{ cookiecutter.__package }}.cli import main
from {{ cookiecutter.__package }}.commands import train
from {{ cookiecutter.__package }}.config import DataSettings, Settings
from {{ cookiecutter.__package }}.signals import StopRequest

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run that learned digits by their names; whole numbers would hide a mix-up of names and numbers."""
    with np.load(settings.data.path) as arrays:
        x, y = arrays["x"], arrays["y"]
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    np.savez(tmp_path / "named.npz", x=x, y=names[y])
    settings = replace(settings, epochs=12, data=DataSettings(path=tmp_path / "named.npz"))
    train.run(settings, folder=None, fast_dev_run=False, stop=StopRequest())
    capsys.readouterr()
    return max(settings.runs_dir.glob("*/*"))


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Give a command to the real command line; return its exit code, output and last error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([*map(str, arguments), "--device=cpu"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_evaluate_repeats_the_scores_of_the_training(run: Path, call: Call) -> None:
    code, output, errors = call("evaluate", run)
    assert (code, errors) == (0, "")
    assert json.loads(output) == json.loads((run / "evaluation.json").read_text())
    val = json.loads(call("evaluate", run, "--split=val")[1])
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    best = min(lines, key=lambda line: line["val_loss"])
    assert val["split"] == "val" and val["best_epoch"] == best["epoch"]
    assert {f"val_{name}": value for name, value in val.items() if f"val_{name}" in best}.items() <= best.items()


def test_evaluate_knows_its_own_data_wherever_it_lies(run: Path, call: Call, tmp_path: Path) -> None:
    (tmp_path / "named.npz").rename(tmp_path / "moved.npz")
    assert call("evaluate", run)[0] == 2
    code, output, _ = call("evaluate", run, f"--data.path={tmp_path / 'moved.npz'}")
    assert code == 0 and json.loads(output) == json.loads((run / "evaluation.json").read_text())


def test_other_data_is_scored_whole_or_by_its_own_splits(run: Path, call: Call, tmp_path: Path) -> None:
    with np.load(tmp_path / "named.npz") as arrays:
        x, y = arrays["x"][:50], arrays["y"][:50]
    np.savez(tmp_path / "other.npz", a=x, b=y[:, None])
    flags = f"--data.path={tmp_path / 'other.npz'}", "--data.x=a", "--data.y=b"
    scores = json.loads(call("evaluate", run, *flags)[1])
    assert scores["split"] == "all" and scores["samples"] == 50
    np.savez(tmp_path / "other.npz", a_val=x[:20], b_val=y[:20], a_train=x, b_train=y)
    scores = json.loads(call("evaluate", run, *flags, "--split=val")[1])
    assert scores["split"] == "val" and scores["samples"] == 20
    code, _, error = call("evaluate", run, *flags)
    assert code == 2 and error.startswith("error: there is no test split; in ") and "(--split val or test)" in error


def test_its_own_data_is_split_as_in_training(run: Path, call: Call, tmp_path: Path) -> None:
    """By other targets it would be cut in another way, and training samples would be scored."""
    code, _, error = call("evaluate", run, "--data.y=x")
    assert code == 2 and error.startswith("error: the run's own data is split as it was in training; ")


def test_data_that_has_changed_is_not_scored_by_accident(run: Path, call: Call, tmp_path: Path) -> None:
    """Its test split could hold samples that the run trained on."""
    with np.load(tmp_path / "named.npz") as arrays:
        np.savez(tmp_path / "named.npz", x=arrays["x"][1:], y=arrays["y"][1:])
    code, _, error = call("evaluate", run)
    assert code == 5 and error.startswith("error: the data has changed since the run began; ")


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".npz"])
def test_predictions_have_the_names_and_the_order_of_the_samples(
    run: Path, call: Call, tmp_path: Path, suffix: str
) -> None:
    with np.load(tmp_path / "named.npz") as arrays:
        x, y = arrays["x"][::-1], arrays["y"][::-1]
    np.savez(tmp_path / "new.npz", x=x)  # without any targets
    out = tmp_path / f"out{suffix}"
    code, output, errors = call("predict", run, f"--data.path={tmp_path / 'new.npz'}", f"--out={out}")
    assert (code, errors) == (0, "") and output.startswith("180 predictions of epoch ")
    if suffix == ".csv":
        with out.open(newline="") as file:
            rows = list(csv.DictReader(file))
        prediction = [row["prediction"] for row in rows]
        probability = np.array([[float(row[f"probability_{name}"]) for name in sorted(set(y))] for row in rows])
    elif suffix == ".npy":
        table = np.load(out)
        prediction, probability = table["prediction"].tolist(), table["probability"]
    else:
        with np.load(out) as written:
            assert written["probability_names"].tolist() == sorted(set(y))
            prediction, probability = written["prediction"].tolist(), written["probability"]
    assert np.allclose(probability.sum(axis=1), 1, atol=1e-5)
    assert [sorted(set(y))[k] for k in probability.argmax(axis=1)] == prediction
    assert np.mean(prediction == y) > 0.6


def test_predictions_of_many_classes_can_be_loaded(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """NumPy refuses .npy files with very long headers, which a field for each class would make."""
    x, y = np.random.default_rng(0).normal(size=(3000, 1, 8, 8)), np.array([f"类 {k % 1000}" for k in range(3000)])
    np.savez(tmp_path / "many.npz", x=x, y=y)
    settings = replace(settings, epochs=1, data=DataSettings(path=tmp_path / "many.npz"))
    train.run(settings, folder=None, fast_dev_run=False, stop=StopRequest())
    folder = max(settings.runs_dir.glob("*/*"))
    for suffix in ("npy", "npz", "csv"):
        assert main(["predict", str(folder), "--device=cpu", f"--out={tmp_path / 'out'}.{suffix}"]) == 0
    assert np.load(tmp_path / "out.npy")["probability"].shape == (3000, 1000)
    assert ArrayFile(tmp_path / "out.npy").header("out").shape == (3000,)
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 3001


def test_predict_takes_one_npy_file(run: Path, call: Call, tmp_path: Path) -> None:
    np.save(tmp_path / "new.npy", np.zeros((1, 1, 8, 8), ">f4"))
    code, output, _ = call("predict", run, f"--data.path={tmp_path / 'new.npy'}", f"--out={tmp_path / 'out.csv'}")
    assert code == 0 and output.startswith("1 predictions")


def test_samples_of_another_shape_are_refused(run: Path, call: Call, tmp_path: Path) -> None:
    np.save(tmp_path / "new.npy", np.zeros((5, 1, 9, 8)))
    code, _, error = call("predict", run, f"--data.path={tmp_path / 'new.npy'}", f"--out={tmp_path / 'out.csv'}")
    sentence = "error: the samples have shape (1, 9, 8), and the run learned (1, 8, 8); in "
    assert code == 2 and error.startswith(sentence) and not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("out.txt", "--out must end in .npy, .npz or .csv"),
        ("nowhere/out.csv", "there is no such folder"),
        ("named.npz", "there is such a file already"),
    ],
)
def test_predictions_overwrite_nothing(run: Path, call: Call, tmp_path: Path, out: str, sentence: str) -> None:
    before = (tmp_path / "named.npz").read_bytes()
    code, _, error = call("predict", run, f"--out={tmp_path / out}")
    assert code == 2 and error.startswith(f"error: {sentence}; ")
    assert (tmp_path / "named.npz").read_bytes() == before


def test_a_run_that_is_not_there_or_not_trained_gets_one_sentence(run: Path, call: Call, tmp_path: Path) -> None:
    code, _, error = call("evaluate", tmp_path)
    assert code == 2 and error.startswith(f"error: there is no run; at {tmp_path}, seen from ")
    (run / "checkpoints/best.pt").unlink()
    code, _, error = call("predict", run, f"--out={tmp_path / 'out.csv'}")
    assert code == 2 and error.startswith(f"error: the run has no best checkpoint; {run}")
    (run / "checkpoints/best.pt").write_bytes(b"PK")
    assert call("evaluate", run)[0] == 5


def test_an_edited_model_is_not_scored(run: Path, call: Call) -> None:
    path = run / "checkpoints/best.pt"
    state = torch.load(path, weights_only=True)
    state["model"].popitem()
    torch.save(state, path)
    code, _, error = call("evaluate", run)
    assert code == 5 and error.startswith("error: the model has other weights than when the run began; in model.py;")


def test_fine_tuning_starts_from_what_fits(
    run: Path, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even and odd instead of ten digits: only the last layer starts anew."""
    with np.load(settings.data.path) as arrays:
        np.savez(tmp_path / "parity.npz", x=arrays["x"], y=arrays["y"] % 2)
    tuned = replace(
        settings, name="tuned", epochs=1, lr=1e-9, init_from=run, data=DataSettings(path=tmp_path / "parity.npz")
    )
    train.run(tuned, folder=None, fast_dev_run=False, stop=StopRequest())
    (folder,) = (settings.runs_dir / "tuned").iterdir()
    old, new = (torch.load(each / "checkpoints/best.pt", weights_only=True)["model"] for each in (run, folder))
    assert f"init    {run}; weights that start anew: output.weight, output.bias\n" in capsys.readouterr().out
    weights = [name for name in old if name.endswith("weight") and name != "output.weight"]
    assert weights and all(torch.allclose(old[name], new[name], atol=1e-5) for name in weights)
    assert new["output.weight"].shape[0] == 2


def test_fine_tuning_forgets_the_names_of_other_classes(
    run: Path, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten classes again, so that every weight fits; but they are others."""
    tuned = replace(settings, name="tuned", epochs=1, init_from=run)
    train.run(tuned, folder=None, fast_dev_run=False, stop=StopRequest())
    assert f"init    {run}; weights that start anew: output.weight, output.bias\n" in capsys.readouterr().out
    train.run(
        replace(tuned, data=DataSettings(path=tmp_path / "named.npz")),
        folder=None,
        fast_dev_run=False,
        stop=StopRequest(),
    )
    assert f"init    {run}; weights that start anew: none\n" in capsys.readouterr().out


def test_fine_tuning_needs_a_run(call: Call, tmp_path: Path, digits: Path) -> None:
    code, _, error = call("train", f"--init-from={tmp_path / 'no'}", f"--runs-dir={tmp_path}", f"--data.path={digits}")
    assert code == 2 and error.startswith("error: there is no run; at ")
    assert list(tmp_path.iterdir()) == [digits]
