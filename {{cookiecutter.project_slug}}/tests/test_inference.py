"""A trained run scores and predicts as it was trained: its own splits, statistics and names."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import rcParams
from matplotlib.figure import Figure

from {{ cookiecutter.__package }} import figures, inference, memory, plots, survey
from {{ cookiecutter.__package }}.array_file import ArrayFile
from {{ cookiecutter.__package }}.arrays import load_splits
from {{ cookiecutter.__package }}.batches import Batches, evaluation_batch_size
from {{ cookiecutter.__package }}.cli import main
from {{ cookiecutter.__package }}.commands import train
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.data import ArrayDataset
from {{ cookiecutter.__package }}.data_config import DataSettings
from {{ cookiecutter.__package }}.errors import DataError
from {{ cookiecutter.__package }}.experiment import Experiment
from {{ cookiecutter.__package }}.inference import Trained, score
from {{ cookiecutter.__package }}.signals import StopRequest
from {{ cookiecutter.__package }}.splits import Split
from {{ cookiecutter.__package }}.step import forward

from .conftest import NARROW_FLAGS, bundled, learn, newest
from .example import targets
from .test_architecture import DENSE

Call = Callable[..., tuple[int, str, str]]
CPU = torch.device("cpu")


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that learned the small data for two epochs, seen from the folder where it was trained."""
    monkeypatch.chdir(tmp_path)
    return trained


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


def test_samples_weigh_the_same_in_batches_of_uneven_sizes(settings: Settings) -> None:
    experiment = Experiment(settings)
    model, val = experiment.model.eval(), experiment.data.splits["val"]
    for weight in model.parameters():  # some are zero at the start
        torch.nn.init.normal_(weight, std=0.1)

    def scores(size: int) -> dict[str, float]:
        batches = Batches(val, batch_size=size, device=CPU, normalisation=experiment.data.normalisation)
        outputs = partial(forward, model, precision=torch.float32, sides=experiment.input_shape[1:])
        return score(outputs, experiment.task, experiment.task.metrics(CPU, len(val)), batches, lambda: None)

    assert len(val) % 10  # type: ignore[arg-type]
    parts, whole = scores(10), scores(len(val))  # type: ignore[arg-type]
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-4)
    assert parts == pytest.approx(whole, rel=1e-4, abs=2e-3)  # the last bits decide how two samples are ranked


def test_nothing_is_kept_for_gradients_while_scores_are_computed(settings: Settings) -> None:
    experiment, modes = Experiment(settings), []

    def outputs(x: torch.Tensor) -> torch.Tensor:
        modes.append(torch.is_inference_mode_enabled())
        return forward(experiment.model, x, precision=torch.float32, sides=experiment.input_shape[1:])

    batches = experiment.batches("val")
    score(outputs, experiment.task, experiment.task.metrics(CPU, batches.count), batches, lambda: None)
    assert modes and all(modes)


def test_figures_say_of_what_they_are(run: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of how many samples, from everywhere in the split, and by which weights."""
    monkeypatch.setattr(figures, "SAMPLES", 5)
    titles, shown = [], []

    def drawn(figure: Figure) -> np.ndarray:
        titles.append(figure.get_suptitle())
        assert not rcParams["text.parse_math"]
        return np.zeros((1, 1, 4))

    monkeypatch.setattr(plots, "drawn", drawn)
    draw, split = figures.draw, Experiment(settings).data.splits["val"]
    monkeypatch.setattr(figures, "draw", lambda dataset, *rest: shown.append(dataset) or draw(dataset, *rest))
    trained = Trained.of(run, device="cpu")
    style = dict(rcParams)
    assert trained.figures(split) and dict(rcParams) == style  # a notebook has figures of its own
    assert {*titles} == {f"5 samples of the validation\nweights of epoch {trained.epoch}"}
    expected = [k * len(split) // 5 for k in range(5)]  # type: ignore[arg-type]
    for at, position in enumerate(expected):
        assert torch.equal(shown[0][at][0], split[position][0])


def test_predictions_of_any_batches_stand_in_their_order(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts may get longer on the way, and the last batch is smaller."""
    trained = Trained.of(run, device="cpu")
    monkeypatch.setattr(trained, "batches", lambda dataset: Batches(dataset, batch_size=4, device=CPU))
    seen: list[int] = []

    def predict(output: torch.Tensor) -> dict[str, np.ndarray]:
        seen.append(len(output))
        return {"prediction": np.array([f"{10 ** len(seen)}-{k}" for k in range(len(output))])}

    monkeypatch.setattr(trained.task, "predict", predict)
    predictions = trained.predict(np.zeros((10, *trained.sample_shape), np.uint8))
    assert seen == [4, 4, 2]
    expected = [f"{10 ** (k // 4 + 1)}-{k % 4}" for k in range(10)]
    assert predictions["prediction"].tolist() == expected


def test_a_dataset_that_leaves_samples_out_gets_no_predictions(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could tell whose they are."""
    trained = Trained.of(run, device="cpu")
    x = np.zeros((7, *trained.sample_shape), np.uint8)
    monkeypatch.setattr(inference, "build_dataset", lambda x, y, settings: ArrayDataset(x[1:], y[1:]))
    with pytest.raises(DataError, match=r"the dataset has 6 samples, and the file 7; in mine.npz; let build_"):
        trained.predict(x, Path("mine.npz"))


def test_predictions_that_will_not_fit_into_the_memory_are_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = Trained.of(run, device="cpu")
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.raises(DataError, match=r"it needs 0\.0 GiB of memory, .*; for the predictions of mine.npz; give"):
        trained.predict(np.zeros((5000, *trained.sample_shape), np.uint8), Path("mine.npz"))


def test_evaluate_knows_its_own_data_wherever_it_lies(run: Path, call: Call, tmp_path: Path) -> None:
    (tmp_path / "small.npz").rename(tmp_path / "moved.npz")
    assert call("evaluate", run)[0] == 2
    code, output, _ = call("evaluate", run, f"--data.path={tmp_path / 'moved.npz'}")
    assert code == 0 and json.loads(output) == json.loads((run / "evaluation.json").read_text())


def test_other_data_is_scored_whole_or_by_its_own_splits(run: Path, call: Call, tmp_path: Path) -> None:
    with np.load(tmp_path / "small.npz") as arrays:
        x, y = arrays["x"][:50], arrays["y"][:50]
    np.savez(tmp_path / "other.npz", a=x, b=y)
    flags = f"--data.path={tmp_path / 'other.npz'}", "--data.x=a", "--data.y=b"
    scores = json.loads(call("evaluate", run, *flags)[1])
    assert scores["split"] == "all" and scores["samples"] == 50
    train = load_splits(ArrayFile(tmp_path / "small.npz"), DataSettings(path=tmp_path / "small.npz"))["train"].x[:]
    learned = sum(bool((train == sample).reshape(len(train), -1).all(1).any()) for sample in x)
    note = f"note: the run has learned from {learned} of the 50 samples: its scores on them are too good\n"
    assert call("evaluate", run, *flags)[2] == note
    (tmp_path / "small.npz").write_bytes(b"PK")  # it cannot be looked at any more
    assert call("evaluate", run, *flags)[2] == ""
    np.savez(tmp_path / "other.npz", a_val=x[:20], b_val=y[:20], a_train=x, b_train=y)
    scores = json.loads(call("evaluate", run, *flags, "--split=val")[1])
    assert scores["split"] == "val" and scores["samples"] == 20
    code, _, error = call("evaluate", run, *flags)
    assert code == 2 and error.startswith("error: there is no test split; in ") and "another one with --split" in error


def test_predictions_of_its_own_data_say_in_which_split_each_sample_is(run: Path, call: Call, tmp_path: Path) -> None:
    assert call("predict", run, f"--out={tmp_path / 'own.npz'}")[0] == 0
    splits = load_splits(ArrayFile(tmp_path / "small.npz"), DataSettings(path=tmp_path / "small.npz"))
    with np.load(tmp_path / "small.npz") as arrays, np.load(tmp_path / "own.npz") as own:
        for name, split in splits.items():
            assert np.array_equal(arrays["x"][own["split"] == name], split.x)
        shutil.copy(tmp_path / "small.npz", tmp_path / "copy.npz")
        assert call("predict", run, f"--data.path={tmp_path / 'copy.npz'}", f"--out={tmp_path / 'copied.npz'}")[0] == 0
        assert np.array_equal(np.load(tmp_path / "copied.npz")["split"], own["split"])
        np.savez(tmp_path / "other.npz", x=arrays["x"])
    assert call("predict", run, f"--data.path={tmp_path / 'other.npz'}", f"--out={tmp_path / 'others.npz'}")[0] == 0
    assert "split" not in np.load(tmp_path / "others.npz").files


def test_scores_are_computed_in_the_precision_of_the_training(run: Path, tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    half = learn(tmp_path / "half", "--precision=bf16", **bundled())
    assert [Trained.of(each, device="cpu").precision for each in (run, half)] == [torch.float32, torch.bfloat16]


def test_its_own_data_is_split_as_in_training(run: Path, call: Call, tmp_path: Path) -> None:
    """By other targets it would be cut in another way, and training samples would be scored."""
    code, _, error = call("evaluate", run, "--data.y=x")
    assert code == 2 and error.startswith("error: the run's own data is split as it was in training; ")


def test_a_second_run_is_not_taken_for_data(run: Path, call: Call, tmp_path: Path) -> None:
    """As `runs/*/*` gives, where there are two."""
    code, _, error = call("evaluate", *2 * [run.relative_to(tmp_path)])
    assert code == 2 and error.startswith("error: Unrecognized options: ") and error.endswith("; give one RUN\n")


def test_data_that_has_changed_is_not_scored_by_accident(run: Path, call: Call, tmp_path: Path) -> None:
    """Its test split could hold samples that the run trained on."""
    with np.load(tmp_path / "small.npz") as arrays:
        np.savez(tmp_path / "small.npz", x=arrays["x"][1:], y=arrays["y"][1:])
    for flags in ([], ["--data.path=small.npz"]):  # the run has the whole path
        code, _, error = call("evaluate", run, *flags)
        assert code == 5 and error.startswith("error: the data has changed since the run began; ")


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_predictions_have_the_order_of_the_samples(run: Path, call: Call, tmp_path: Path, suffix: str) -> None:
    with np.load(tmp_path / "small.npz") as arrays:
        np.savez(tmp_path / "new.npz", x=arrays["x"][::-1])  # without any targets
    tables = []
    for name in ("small", "new"):
        out = tmp_path / f"{name}-out{suffix}"
        code, output, error = call("predict", run, f"--data.path={tmp_path / name}.npz", f"--out={out}")
        if code:  # predictions at each position are no table
            assert suffix == ".csv" and error.startswith("error: predictions at each position do not fit into the rows")
            return
        assert output.startswith("180 predictions of epoch ")
        if suffix == ".csv":
            with out.open(newline="", encoding="utf-8") as file:
                header, *rows = csv.reader(file)
            assert header[0].startswith("prediction")
            tables.append([row[0] for row in rows])
        else:
            tables.append(np.load(out)["prediction"].tolist())
    assert len(tables[0]) == 180 and tables[0][::-1] == tables[1]


def test_predict_takes_one_npy_file(run: Path, call: Call, tmp_path: Path) -> None:
    with np.load(tmp_path / "small.npz") as arrays:
        np.save(tmp_path / "new.npy", arrays["x"][:1].astype(">f4"))
    code, output, _ = call("predict", run, f"--data.path={tmp_path / 'new.npy'}", f"--out={tmp_path / 'out.npz'}")
    assert code == 0 and output.startswith("1 predictions")


def test_samples_of_another_shape_are_refused(run: Path, call: Call, tmp_path: Path) -> None:
    with np.load(tmp_path / "small.npz") as arrays:
        y = np.zeros((5, *arrays["y"].shape[1:-2], 9, 8), arrays["y"].dtype) if DENSE else arrays["y"][:5]
    np.savez(tmp_path / "new.npz", x=np.zeros((5, 1, 9, 8)), y=y)
    for command, flags in (("predict", [f"--out={tmp_path / 'out.npz'}"]), ("evaluate", [])):
        code, output, error = call(command, run, f"--data.path={tmp_path / 'new.npz'}", *flags)
        sentence = "error: the samples have shape (1, 9, 8), and the run learned (1, "
        assert code == 2 and error.startswith(sentence) and not output
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("out.txt", "the file must end in .npz or .csv"),
        ("nowhere/out.csv", "there is no such folder"),
        ("small.npz", "there is such a file already"),
    ],
)
def test_predictions_overwrite_nothing(run: Path, call: Call, tmp_path: Path, out: str, sentence: str) -> None:
    before = (tmp_path / "small.npz").read_bytes()
    code, _, error = call("predict", run, f"--out={tmp_path / out}")
    assert code == 2 and error.startswith(f"error: {sentence}; ")
    assert (tmp_path / "small.npz").read_bytes() == before


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
    assert code == 5 and error.startswith("error: the model has other weights than when the run began, such as")


def test_scores_of_a_run_that_has_not_finished_come_with_a_note(run: Path, call: Call) -> None:
    status = run / "status.json"
    status.write_text(status.read_text().replace("finished", "interrupted"))
    assert call("evaluate", run)[2] == "note: the run has not finished; later epochs may be better\n"


def test_an_edited_split_is_not_scored(run: Path, call: Call, tmp_path: Path) -> None:
    """Of its test samples, some would be those that the run has learned from."""
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("split_seed: 0", "split_seed: 1"))
    for command in (("evaluate", run), ("predict", run, f"--out={tmp_path / 'out.csv'}")):
        code, _, error = call(*command)
        assert code == 5 and error.startswith("error: the run began with --data.split-seed=0, not --data.split-seed=1")


def test_outputs_that_are_no_numbers_are_neither_scored_nor_saved(run: Path, call: Call, tmp_path: Path) -> None:
    """As of samples whose values are too large for --precision fp16: the class of a NaN would be the first."""
    path = run / "checkpoints/best.pt"
    state = torch.load(path, weights_only=True)
    for weight in state["model"].values():
        weight.copy_(weight * torch.nan if weight.is_floating_point() else weight)
    torch.save(state, path)
    for command in ([], [f"--out={tmp_path / 'out.npz'}"]):
        code, output, error = call("predict" if command else "evaluate", run, *command)
        sentence = "error: the model's outputs are not finite; for some of the samples; look for values far from"
        assert code == 2 and error.startswith(sentence) and not output
    assert not (tmp_path / "out.npz").exists()


def test_fine_tuning_starts_from_what_fits(
    run: Path, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """New samples with the same targets: everything does. Other targets: only the last layer starts anew."""
    with np.load(settings.data.path) as arrays:
        x = arrays["x"]
        np.savez(tmp_path / "new.npz", x=x[:-20], y=arrays["y"][:-20])
    tuned = replace(
        settings, name="tuned", epochs=1, lr=1e-9, init_from=run, data=DataSettings(path=tmp_path / "new.npz")
    )
    train.run(tuned, folder=None, fast_dev_run=False, stop=StopRequest())
    assert f"init    {run}; weights that start anew: none\n" in capsys.readouterr().out
    np.savez(tmp_path / "other.npz", x=x, y=targets(len(x), x.shape[1:]))
    tuned = replace(tuned, name="other", data=DataSettings(path=tmp_path / "other.npz"))
    train.run(tuned, folder=None, fast_dev_run=False, stop=StopRequest())
    (folder,) = (settings.runs_dir / "other").iterdir()
    old, new = (torch.load(each / "checkpoints/best.pt", weights_only=True)["model"] for each in (run, folder))
    said = re.search(f"init    {run}; weights that start anew: (.+)\n", capsys.readouterr().out)
    anew = said[1].split(", ") if said else []
    assert anew and not any(torch.equal(old[name], new[name]) for name in anew)
    weights = [name for name in old if name.endswith("weight") and name not in anew]
    assert weights and all(torch.allclose(old[name], new[name], atol=1e-5) for name in weights)


def test_fine_tuning_on_what_the_other_run_has_learned_from_is_refused(call: Call, tmp_path: Path) -> None:
    """Cut by another seed, or into other shares, some of the test samples were trained on; as before, none."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, array in bundled().items():
        np.save(folder / f"{name}.npy", array)
    flags = ("train", f"--runs-dir={tmp_path / 'runs'}", "--epochs=1", *NARROW_FLAGS)
    assert call(*flags, f"--data.path={folder}")[0] == 0
    again = (*flags, f"--init-from={newest(tmp_path)}", f"--data.path={folder.rename(tmp_path / 'moved')}")
    folder.mkdir()  # something else is where they were
    for flag in ("--data.split-seed=7", "--data.test-share=0.2"):
        code, _, errors = call(*again, flag)
        assert code == 2 and re.match("error: that run has learned from [0-9]+ samples of (val|test); ", errors)
    assert call(*again, "--seed=7")[::2] == (0, "")


def test_fine_tuning_finds_the_samples_by_other_features_of_theirs(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And does not take one that is there twice, in train and in val, for a mistake of the cut."""
    monkeypatch.chdir(tmp_path)
    arrays = bundled()
    arrays["x"][-40:], arrays["y"][-40:] = arrays["x"][:40], arrays["y"][:40]
    np.savez(tmp_path / "two.npz", x=arrays["x"], x2=arrays["x"].max() - arrays["x"], y=arrays["y"])
    flags = ("train", "--data.path=two.npz", "--runs-dir=runs", "--epochs=1", *NARROW_FLAGS)
    assert call(*flags)[0] == 0
    again = (*flags, f"--init-from={newest(tmp_path)}", "--data.x=x2")
    sentence = "error: that run has learned from "
    code, _, errors = call(*again, "--data.split-seed=7")
    assert code == 2 and errors.startswith(sentence)
    for trial in ((), ("--fast-dev-run",)):
        assert call(*again, *trial)[::2] == (0, "")


def test_fine_tuning_without_the_memory_to_look_is_refused(
    run: Path, call: Call, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = survey.load_splits

    def short_of_memory(file: ArrayFile, settings: DataSettings) -> dict[str, Split]:
        with pytest.MonkeyPatch.context() as short:
            short.setattr(memory, "free_memory", lambda: 1000)
            return load(file, settings)

    monkeypatch.setattr(survey, "load_splits", short_of_memory)
    code, _, errors = call("train", f"--init-from={run}", f"--data.path={small}", "--data.split-seed=7", *NARROW_FLAGS)
    assert code == 2 and errors.startswith("error: it needs 0.0 GiB of memory, and 0.0 are free; in ")


def test_fine_tuning_on_a_file_that_has_grown_counts_who_is_in_both(run: Path, call: Call, tmp_path: Path) -> None:
    with np.load(tmp_path / "small.npz") as arrays:
        np.savez(tmp_path / "grown.npz", **{name: np.concatenate([arrays[name], arrays[name]]) for name in arrays})
    flags = ("--data.path=grown.npz", f"--init-from={run}", "--epochs=1", "--runs-dir=new", *NARROW_FLAGS)
    code, _, errors = call("train", *flags)
    assert code == 0 and errors.startswith("note: the run of --init-from has learned from ")
    assert " samples of val: scores on them are too good\n" in errors and " samples of test: scores on" in errors


def test_fine_tuning_needs_a_run(call: Call, tmp_path: Path, small: Path) -> None:
    code, _, error = call("train", f"--init-from={tmp_path / 'no'}", f"--runs-dir={tmp_path}", f"--data.path={small}")
    assert code == 2 and error.startswith("error: there is no run; at ")
    assert list(tmp_path.iterdir()) == [small]


def test_no_more_is_scored_at_once_than_fits_where_batches_are_computed_in_parts() -> None:
    shape, gpu = (1, 32, 32), torch.device("cuda")  # of which none is needed here
    assert evaluation_batch_size(64, shape, CPU) == 128
    assert evaluation_batch_size(64, shape, gpu) == 1024
    assert evaluation_batch_size(64, (3, 224, 224), gpu) == 128
    assert evaluation_batch_size(2, shape, gpu) == 128  # smaller batches take less memory
    for device, more in ((CPU, 1), (gpu, 32)):
        assert evaluation_batch_size(64 / 16, shape, device) == 8 * more
        assert evaluation_batch_size(1 / 16, shape, device) == more


def test_few_samples_that_were_trained_in_small_batches_are_scored_in_such(run: Path, call: Call) -> None:
    """Large ones may be too many for the memory: volumes, for example."""
    assert Trained.of(run, device="cpu").trained_batch == 64
    assert call("train", "--data.path=small.npz", "--epochs=1", "--name=few", "--runs-dir=runs", *NARROW_FLAGS)[0] == 0
    (few,) = Path("runs/few").iterdir()
    assert Trained.of(few, device="cpu").trained_batch == 16  # of 126 samples


def test_a_notebook_gets_what_was_learned_in_one_line(run: Path, call: Call, tmp_path: Path) -> None:
    """As README has it."""
    assert call("predict", run, f"--out={tmp_path / 'out.npz'}")[0] == 0
    with np.load(tmp_path / "small.npz") as arrays, np.load(tmp_path / "out.npz") as out:
        found = Trained.of(str(run), device="cpu").predict(arrays["x"])
        assert np.array_equal(found["prediction"], out["prediction"])
        trained, few = Trained.of(str(run), device="cpu"), arrays["x"][:3]
    x, expected = few.astype(np.float32), trained.predict(few)["prediction"]
    for same in (x, torch.from_numpy(x), x.tolist(), np.moveaxis(x, 1, -1)):  # channels last, too
        assert np.array_equal(trained.predict(same)["prediction"], expected)  # type: ignore[arg-type]
    for wrong in (x[:0], x[0], x[..., :-1], np.array(["a"])):
        with pytest.raises(DataError, match="; in x; "):
            trained.predict(wrong)
    with pytest.raises(DataError, match=r"nan at index \[0, .*; in x; replace, remove or rescale"):
        trained.predict(np.full_like(x, np.nan))


def test_the_training_split_can_be_scored_too(run: Path, call: Call) -> None:
    scores = json.loads(call("evaluate", run, "--split=train")[1])
    assert scores["split"] == "train" and scores["samples"] == 126


@pytest.mark.skipif(DENSE, reason="its targets, which are kept in memory, are as large")
def test_a_smaller_machine_may_score_what_a_larger_one_kept_in_memory(
    call: Call, tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    with np.load(small) as arrays:
        for name in ("x", "y"):
            np.save(tmp_path / f"mine/{name}.npy", np.concatenate([arrays[name]] * 9))
    flags = ("--data.resident=yes", "--epochs=1", f"--runs-dir={tmp_path / 'runs'}", *NARROW_FLAGS)
    assert call("train", f"--data.path={tmp_path / 'mine'}", *flags)[0] == 0
    enough = (tmp_path / "mine/x.npy").stat().st_size - 1
    for module in ("memory", "arrays"):
        monkeypatch.setattr(f"{{ cookiecutter.__package }}.{module}.free_memory", lambda: enough)
    assert json.loads(call("evaluate", newest(tmp_path))[1])["samples"] == 243


def test_what_was_learned_is_in_two_files(run: Path, call: Call) -> None:
    """So that the others may be removed."""
    before = json.loads(call("evaluate", run)[1])
    for path in run.rglob("*"):
        if path.is_file() and path.name not in ("config.yaml", "best.pt"):
            path.unlink()
    code, output, note = call("evaluate", run)
    assert code == 0 and json.loads(output) == before and note == ""
    assert call("predict", run, "--out=out.npz")[0] == 0
    again = (f"--init-from={run}", "--data.path=small.npz", "--epochs=1", "--runs-dir=new", *NARROW_FLAGS)
    assert call("train", *again)[0] == 0
