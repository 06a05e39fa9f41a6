"""A student edits the rendered project as its README says, and training follows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .conftest import Render, newest_run, run

FEATURE = (
    "        return self.x.index_select(0, indices).float(), self.y.index_select(0, indices)\n",
    "        x = self.x.index_select(0, indices).float()\n"
    "        return torch.cat([x, x.flip(-1)], dim=1), self.y.index_select(0, indices)\n",
)
NOISE = (
    FEATURE[0],
    "        x = self.x.index_select(0, indices).float()\n"
    "        if self.training:\n"
    "            x = x + torch.randn_like(x)\n"
    "        return x, self.y.index_select(0, indices)\n",
)
AS_IN_THE_NOTES = (
    "    def __len__(self) -> int:\n",
    "    def __getitem__(self, index):\n"
    "        return self.x[index].float() * 2, self.y[index].long()\n"
    "\n"
    "    def __len__(self) -> int:\n",
)
TEXT_FILES = (
    "        with self._open(name) as (file, in_file, in_memory):\n            member = ",
    '        if (table := self.path / f"{name}.txt").exists():\n'
    "            return np.loadtxt(table)\n"
    "        with self._open(name) as (file, in_file, in_memory):\n            member = ",
)
OTHER_DATASET = '''

class Lazy(Dataset[tuple[Tensor, Tensor]]):
    """A dataset as every tutorial writes it."""

    def __init__(self, x: Array, y: Array) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return torch.tensor(self.x[index], dtype=torch.float32), torch.tensor(self.y[index])
'''

# What students get wrong: an edit, and what the last line then says of it.
MISTAKES: dict[str, tuple[str, tuple[str, str], int, str]] = {
    "a scheduler of torch": (
        "trainer.py",
        (
            "        self.save(best=improved)\n",
            "        torch.optim.lr_scheduler.StepLR(self.step.optimizer, 1, 0.1).step()\n",
        ),
        2,
        "error: the learning rate is set by something else, too; in trainer.py; let build_schedule in optimizer.py ",
    ),
    "targets of all samples": (
        "data.py",
        (".float(), self.y.index_select(0, indices)\n", ".float(), self.y\n"),
        1,
        "error: ValueError: batch, in data.py, returned 1 samples and 1257 targets for one position; ",
    ),
    "half of the samples": (
        "batches.py",
        ("        return torch.randperm(count, generator=numbers)\n", "        return torch.randperm(count // 2)\n"),
        1,
        "error: ValueError: permutation, in batches.py, returned 628 positions, not 1257; ",
    ),
    "the logarithm of zero": (
        "data.py",
        (".index_select(0, indices).float(), self", ".index_select(0, indices).log(), self"),
        2,
        "error: the dataset makes numbers that are not finite; in data.py; look there for a logarithm, ",
    ),
    "a metric that is not computed": (
        "task.py",
        ('"macro_f1": True}', '"macro_f1": True, "recall": True}'),
        1,
        "error: ValueError: Metrics.compute, in task.py, returned accuracy, macro_f1, top_5_accuracy: not what ",
    ),
    "a metric called loss": (
        "task.py",
        ('            "accuracy": self.hits', '            "loss": 1.0,\n            "accuracy": self.hits'),
        1,
        "error: ValueError: Metrics.compute, in task.py, returned loss, accuracy, macro_f1, top_5_accuracy: not what ",
    ),
    "a forgotten return": (
        "model.py",
        ("        return self.output(x)", "        self.output(x)"),
        1,
        "error: TypeError: forward of the model, in model.py, returned a NoneType, not a tensor; ",
    ),
    "weights that are all frozen": (
        "model.py",
        ("        return self.output(x)", "        return self.output(x).detach()"),
        1,
        "error: TypeError: the loss, in task.py, is no number that depends on trained weights: it is tensor(",
    ),
    "a loss without its mean": (
        "task.py",
        ("output, target, label_smoothing=self.label_smoothing)", "output, target, reduction='none')"),
        1,
        "error: TypeError: the loss, in task.py, is no number that depends on trained weights: it is tensor([",
    ),
    "a forgotten colon": (
        "model.py",
        ("class CNN(nn.Module):", "class CNN(nn.Module)"),
        1,
        "error: SyntaxError: expected ':' (model.py, line ",
    ),
}

SCHEDULER = [  # of torch, in place of build_schedule
    ("        self.step.scale_learning_rates(self.schedule(self.epoch))\n", ""),
    (
        "        self.step.scale_learning_rates(self.schedule(max(0, self.epoch - (self.batch == 0))))",
        "       ",
    ),
    (
        "        self.epoch, self.global_step = 0, 0",
        "        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(\n"
        "            self.step.optimizer, factor=0.5, patience=0, threshold=100.0, threshold_mode='abs'\n"
        "        )\n"
        "        self.epoch, self.global_step = 0, 0",
    ),
    (
        "        self.save(best=improved)\n",
        "        self.scheduler.step(numbers['val_loss'])\n        self.save(best=improved)\n",
    ),
    (
        '            "losses": self.losses.values,\n',
        '            "losses": self.losses.values,\n'
        '            "scheduler": self.scheduler.state_dict(),\n'
        '            "rates": [group["lr"] for group in self.step.optimizer.param_groups],\n',
    ),
    (
        "        self.step.load_state_dict(state)\n",
        "        self.step.load_state_dict(state)\n"
        '        self.scheduler.load_state_dict(state["scheduler"])\n'
        '        for group, rate in zip(self.step.optimizer.param_groups, state["rates"]):\n'
        '            group["lr"] = rate\n',
    ),
]
WEIGHTS = [  # of samples: some are shown more often
    ("block: int = 1) -> Tensor:", "block: int = 1, weights: Tensor | None = None) -> Tensor:"),
    (
        "    numbers = generator(seed, epoch)\n",
        "    numbers = generator(seed, epoch)\n"
        "    if weights is not None:\n"
        "        return torch.multinomial(weights, count, replacement=True, generator=numbers)\n",
    ),
    (
        "        order = permutation(self.count, seed=self.seed, epoch=epoch, block=self.block)",
        "        weights = self.dataset.weights if self.seed is not None else None  # type: ignore[attr-defined]\n"
        "        order = permutation(self.count, seed=self.seed, epoch=epoch, block=self.block, weights=weights)",
    ),
]

BATCH_NORM = ("nn.Linear(in_size, hidden_size), ", "nn.Linear(in_size, hidden_size), nn.BatchNorm1d(hidden_size), ")


@pytest.fixture
def project(render: Render) -> Path:
    return render()


def edit(project: Path, file: str, change: tuple[str, str]) -> None:
    path = project / "src/my_experiment" / file
    text = path.read_text(encoding="utf-8")
    assert text.count(change[0]) == 1
    path.write_text(text.replace(*change), encoding="utf-8")


def train(project: Path, *flags: str) -> tuple[str, list[dict[str, float]]]:
    """Train for two epochs; return the log, and the numbers of each epoch that do not depend on the clock."""
    run(project, "train", "--epochs=2", *flags)
    lines = [json.loads(line) for line in (newest_run(project) / "metrics.jsonl").read_text().splitlines()]
    exact = [{key: line[key] for key in line if key not in ("seconds", "samples_per_second")} for line in lines]
    return (newest_run(project) / "train.log").read_text(), exact


def test_a_feature_reaches_model_scores_and_predictions(project: Path, tmp_path: Path) -> None:
    edit(project, "data.py", FEATURE)
    log, _ = train(project)
    assert "a sample is (2, 8, 8)" in log and "loader" not in log
    scores, _ = run(project, "evaluate", str(newest_run(project)))
    assert json.loads(scores) == json.loads((newest_run(project) / "evaluation.json").read_text())
    run(project, "predict", str(newest_run(project)), "--data.path=data/digits.npz", f"--out={tmp_path / 'out.npz'}")
    with np.load(tmp_path / "out.npz") as out, np.load(project / "data/digits.npz") as digits:
        assert np.mean(out["prediction"] == digits["y"]) > 0.9


def test_an_augmentation_is_for_training_only_and_repeatable(project: Path) -> None:
    _, plain = train(project)
    edit(project, "data.py", NOISE)
    log, noisy = train(project)
    assert "loader" not in log and noisy != plain
    first, again = (run(project, "evaluate", str(newest_run(project)))[0] for _ in range(2))
    assert first == again  # no noise there
    assert train(project)[1] == noisy


@pytest.mark.parametrize("replaced", [True, False])
def test_any_other_dataset_is_served_by_a_dataloader_with_the_same_bits(project: Path, replaced: bool) -> None:
    """Values are the same, so all numbers must be; twice the value is the same, once it is normalised."""
    _, plain = train(project)
    if replaced:
        path = project / "src/my_experiment/data.py"
        path.write_text(path.read_text(encoding="utf-8") + OTHER_DATASET, encoding="utf-8")
        edit(project, "data.py", ("return ArrayDataset(x, y)", "return Lazy(x, y)"))
    else:
        edit(project, "data.py", AS_IN_THE_NOTES)
    log, served = train(project)
    name = "Lazy" if replaced else "ArrayDataset"
    assert f"loader  a DataLoader reads {name} sample by sample (slower)" in log
    assert served == plain
    scores, _ = run(project, "evaluate", str(newest_run(project)))
    assert json.loads(scores) == json.loads((newest_run(project) / "evaluation.json").read_text())


def test_a_dataset_may_give_arrays_of_whole_numbers(project: Path) -> None:
    """As the DataLoader takes them, so do the remarks on their scale."""
    path = project / "src/my_experiment/data.py"
    path.write_text(path.read_text(encoding="utf-8") + OTHER_DATASET, encoding="utf-8")
    edit(project, "data.py", ("torch.tensor(self.x[index], dtype=torch.float32)", "self.x[index]"))
    edit(project, "data.py", ("return ArrayDataset(x, y)", "return Lazy(x, y)"))
    log, served = train(project)
    assert "loader  a DataLoader reads Lazy" in log and served[-1]["val_loss"] < 2


def test_what_no_checkpoint_has_is_named(project: Path) -> None:
    edit(project, "model.py", ("self.stages = stages", "self.stages, self.scale = stages, torch.randn(())"))
    log, _ = train(project)
    assert "        scale: not in the checkpoints, so not as trained when scored; use a buffer or nn.ModuleList" in log


def test_a_norm_that_one_sample_is_too_few_for_gets_one_sentence(project: Path) -> None:
    edit(project, "model.py", BATCH_NORM)
    for flags in (["--batch-size=157"], ["--batch-size=16", "--accumulate=16"]):  # of 1,257 samples
        _, errors = run(project, "train", *flags, code=2)
        assert errors.startswith("error: batch norm cannot learn from one sample alone; in a batch, or a part of one; ")
        assert errors.count("\n") == 1
    train(project)


def test_another_file_format_is_trained_on(project: Path, tmp_path: Path) -> None:
    edit(project, "array_file.py", TEXT_FILES)
    edit(
        project,
        "array_file.py",
        ('if file.suffix == ".npy" and', 'if file.suffix in (".npy", ".txt") and'),
    )
    with np.load(project / "data/digits.npz") as digits:
        np.savetxt(tmp_path / "x.txt", digits["x"].reshape(-1, 64)[:300])
        np.save(tmp_path / "y.npy", digits["y"][:300])
    log, _ = train(project, f"--data.path={tmp_path}", "--data.channels=none")
    assert "a sample is (1, 64)" in log


def test_a_scheduler_of_torch_takes_the_place_of_the_schedule(project: Path) -> None:
    """It follows the scores, and a resumed run goes on with what it has seen."""
    for change in SCHEDULER:
        edit(project, "trainer.py", change)
    _, whole = train(project, "--epochs=4")
    assert [line["learning_rate"] for line in whole] == [1e-3, 1e-3, 5e-4, 2.5e-4]
    train(project, "--name=resumed")
    run(project, "train", "--resume=auto", "--name=resumed", "--epochs=4")
    lines = (newest_run(project, "resumed") / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["val_loss"] for line in lines] == [line["val_loss"] for line in whole]


def test_some_samples_may_be_shown_more_often(project: Path) -> None:
    """Nearly all are zeros here, so that zeros are what is learned."""
    last = "        self.block = self.x.block if isinstance(self.x, Stream) else 1  # read together\n"
    edit(project, "data.py", (last, f"{last}        self.weights = (self.y == 0).float() + 0.001\n"))
    for change in WEIGHTS:
        edit(project, "batches.py", change)
    edit(project, "figures.py", ("SAMPLES = 10_000", "SAMPLES = 50"))  # a part of the validation is a dataset, too
    _, first = train(project)
    assert first[-1]["train_loss"] < 0.1 and first[-1]["val_accuracy"] < 0.5
    assert train(project)[1] == first


def test_weights_may_learn_at_a_rate_of_their_own(project: Path) -> None:
    """Also where a CUDA graph finds the rates in tensors."""
    edit(project, "optimizer.py", ('p.ndim > 1], "weight', 'p.ndim > 1], "lr": 0.1 * lr, "weight'))
    code = (
        "import torch; from my_experiment.optimizer import build_optimizer; model = torch.nn.Linear(2, 2)\n"
        "for capturable in (False, True):\n"
        "    optimizer = build_optimizer(model, lr=0.5, weight_decay=0.0, capturable=capturable)\n"
        "    print(*(round(float(group['lr']), 6) for group in optimizer.param_groups))"
    )
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    output = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert output.stdout == "0.05 0.5\n0.05 0.5\n"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_place(project: Path, mistake: str) -> None:
    file, change, code, sentence = MISTAKES[mistake]
    edit(project, file, change)
    _, errors = run(project, "train", "--epochs=2", code=code)
    assert errors.splitlines()[-1].startswith(sentence)


def test_more_numbers_may_be_predicted(project: Path, tmp_path: Path) -> None:
    """In a table, their columns are numbered, if nobody names them."""
    train(project)
    edit(
        project,
        "task.py",
        ('"probability": probabilities}', '"probability": probabilities, "two": probabilities[:, :2]}'),
    )
    flags = (str(newest_run(project)), "--data.path=data/digits.npz", f"--out={tmp_path / 'out.csv'}")
    run(project, "predict", *flags)
    assert "probability_9,two_0,two_1," in (tmp_path / "out.csv").read_text().splitlines()[0]
