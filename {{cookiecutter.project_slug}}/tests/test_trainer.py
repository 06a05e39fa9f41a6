"""The writer is closed on every way out (lesson 5 of the notes); nothing that happens falsifies a run."""

import gc
import json
import math
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from {{ cookiecutter.__package }} import datasets, experiment
from {{ cookiecutter.__package }}.batches import Batches
from {{ cookiecutter.__package }}.checkpoint import is_plain, last_checkpoint, load_checkpoint
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.data import ArrayDataset
from {{ cookiecutter.__package }}.data_config import AugmentSettings
from {{ cookiecutter.__package }}.errors import (
    ConfigError,
    DivergedError,
    Interrupted,
    OutOfMemoryError,
    RefusedError,
    StorageError,
)
from {{ cookiecutter.__package }}.experiment import Experiment
from {{ cookiecutter.__package }}.inference import Trained
from {{ cookiecutter.__package }}.logbook import Logbook
from {{ cookiecutter.__package }}.optimizer import build_optimizer
from {{ cookiecutter.__package }}.run import Run
from {{ cookiecutter.__package }}.saver import Interval, Saver
from {{ cookiecutter.__package }}.signals import StopRequest
from {{ cookiecutter.__package }}.step import Step
from {{ cookiecutter.__package }}.targets import Targets
from {{ cookiecutter.__package }}.trainer import Trainer

from .test_logbook import scalars


def build(settings: Settings, stop: StopRequest | None = None) -> Trainer:
    run = Run.create(settings)
    run.begin()
    return Experiment(settings).trainer(run, stop or StopRequest())


def broken_dataset(batches: Batches) -> None:
    class Broken(type(batches.dataset)):  # type: ignore[misc]
        def batch(self, indices: torch.Tensor) -> None:
            raise RuntimeError("broken")

    batches.dataset.__class__ = Broken


def broken_model(trainer: Trainer, training: bool) -> None:
    def fail(module: torch.nn.Module, inputs: object) -> None:
        if module.training == training:
            raise RuntimeError("broken")

    trainer.step.model.register_forward_pre_hook(fail)


def no_best_weights(trainer: Trainer) -> None:
    trainer.run.best.unlink()
    trainer.fit = lambda: Trained(trainer.run.folder, trainer.run.settings)  # type: ignore[method-assign,assignment,return-value]


PHASES: dict[str, tuple[Callable[[Trainer], object], str]] = {  # what breaks it, and what is then said
    "schedule": (lambda trainer: setattr(trainer, "schedule", None), "'NoneType' object is not callable"),
    "training data": (lambda trainer: broken_dataset(trainer.train_batches), "broken"),
    "training": (lambda trainer: broken_model(trainer, True), "broken"),
    "validation data": (lambda trainer: broken_dataset(trainer.val_batches), "broken"),
    "validation": (lambda trainer: broken_model(trainer, False), "broken"),
    "early stopping": (lambda trainer: setattr(trainer, "monitor", "val_nothing"), "val_nothing"),
    "logging": (lambda trainer: trainer.logbook.metrics.close(), "closed file"),
    "scoring": (no_best_weights, "the run has no best checkpoint"),
    "saving": (lambda trainer: shutil.rmtree(trainer.run.last.parent), "cannot write"),
}


def test_what_was_saved_is_written_before_the_files_are_closed(settings: Settings) -> None:
    """In a script of one's own, which calls no `fit`."""
    with build(settings) as trainer:
        sync = trainer.saver.before
        trainer.saver.before = lambda: (time.sleep(0.3), sync())
        trainer.save(best=True)
    assert load_checkpoint(trainer.run.best)["progress"] == load_checkpoint(trainer.run.last)["progress"]


def test_the_state_need_not_be_looked_through(settings: Settings) -> None:
    with build(replace(settings, epochs=1)) as trainer:
        assert is_plain(trainer.state_dict())
        trainer.fit()
        assert is_plain(trainer.state_dict())


def test_the_metrics_are_on_the_disk_before_a_checkpoint_that_tells_of_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, fsync = [], os.fsync

    def watch(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    with build(replace(settings, epochs=1)) as trainer:
        trainer.fit()
        files = (trainer.run.folder / "metrics.jsonl", trainer.run.best, trainer.run.last)
        places = [synced.index(path.stat().st_ino) for path in files]
    assert places == sorted(places)


@pytest.mark.parametrize(("fail", "said"), PHASES.values(), ids=PHASES)
def test_an_exception_in_any_phase_leaves_a_complete_event_file(
    settings: Settings, fail: Callable[[Trainer], object], said: str
) -> None:
    trainer = build(settings)
    folder, logbook = trainer.run.folder, trainer.logbook
    trainer.epochs = 1
    trainer.fit()
    trainer.logbook.writer.add_scalar("last", 1.0, 99)  # which nobody has flushed
    fail(trainer)
    trainer.epochs = 2
    with pytest.raises(Exception, match=said):
        trainer.fit()
    del trainer
    gc.collect()
    assert logbook.writer.file_writer is None  # closed by __del__
    assert scalars(folder)["loss/train"][0] and scalars(folder)["last"] == [(99, 1.0)]


def test_an_exception_in_init_closes_the_writer_too(settings: Settings) -> None:
    run = Run.create(settings)
    logbook = Logbook(run.folder)
    logbook.epoch("before", {"step": 1, "train_loss": 0.5}, improved=False)
    with pytest.raises(AttributeError):
        Trainer(
            step=None, schedule=None, train_batches=None, val_batches=None, early_stopping=None, logbook=logbook,
            run=run, stop=StopRequest(), epochs=1, interval=Interval("epoch"), context={},
        )  # fmt: skip
    gc.collect()
    assert logbook.writer.file_writer is None
    assert scalars(run.folder) == {"loss/train": [(1, 0.5)]}


def test_a_with_block_closes_the_writer(settings: Settings) -> None:
    with build(settings) as trainer:
        writer = trainer.logbook.writer
    assert writer.file_writer is None


def test_each_epoch_is_trained_with_the_rate_that_is_logged(settings: Settings) -> None:
    used = []
    with build(replace(settings, epochs=3, lr=0.01)) as trainer:

        def watch(module: torch.nn.Module, inputs: object) -> None:
            if module.training:
                used.append(trainer.step.optimizer.param_groups[0]["lr"])

        trainer.step.model.register_forward_pre_hook(watch)
        trainer.fit()
    logged = [json.loads(line)["learning_rate"] for line in (trainer.run.folder / "metrics.jsonl").open()]
    assert used == [rate for rate in logged for _ in range(len(trainer.train_batches))]
    assert logged == pytest.approx([0.01 * trainer.schedule(epoch) for epoch in range(3)])


def test_a_step_that_fp16_leaves_out_is_no_divergence(settings: Settings) -> None:
    """The loss is scaled by too much: its gradients are infinite, the step is left out, and the scale is halved."""
    with build(replace(settings, epochs=1, precision="fp16")) as trainer:
        before = [parameter.clone() for parameter in trainer.step.model.parameters()]
        trainer.step.scaler.update(2.0**100)
        assert trainer.fit() == ("finished", "1 epoch")
        assert trainer.step.scaler.get_scale() == 2.0 ** (100 - len(trainer.train_batches))
        assert all(map(torch.equal, before, trainer.step.model.parameters()))


def test_a_training_of_which_fp16_leaves_out_every_step_has_diverged(settings: Settings) -> None:
    """The losses are finite all the time."""
    with build(replace(settings, epochs=20, precision="fp16")) as trainer:
        parameter = next(trainer.step.model.parameters())
        parameter.register_hook(lambda gradient: gradient * math.inf)
        with pytest.raises(DivergedError, match="the gradients are not finite; in fp16; train a new run with"):
            trainer.fit()
        assert trainer.step.scaler.get_scale() == 2.0**-2 and trainer.epoch == 9  # two steps each


def test_a_failed_save_is_told_wherever_the_training_was_called(settings: Settings) -> None:
    """In a script that tries something else after an exception, too."""
    with build(replace(settings, epochs=1)) as trainer:
        shutil.rmtree(trainer.run.last.parent)
        try:
            raise KeyError
        except KeyError:
            with pytest.raises(StorageError, match="cannot write"):
                trainer.fit()


def test_the_mean_of_large_losses_is_finite(settings: Settings) -> None:
    with build(replace(settings, epochs=1)) as trainer:
        trainer.losses.values.fill_(1e38)
        assert trainer.losses.mean(2, 2, 1) == pytest.approx(1e38)


def test_every_setting_reaches_what_it_sets(settings: Settings) -> None:
    settings = replace(settings, seed=5, clip_norm=0.5, accumulate=3, weight_decay=0.07, precision="bf16")
    with build(replace(settings, augment=AugmentSettings(noise=0.1), checkpoint_every="7")) as trainer:
        step, groups = trainer.step, trainer.step.optimizer.param_groups
        assert (step.clip_norm, step.accumulate, step.precision) == (0.5, 3, torch.bfloat16)
        assert [group["weight_decay"] for group in groups] == [0.07, 0.0]
        assert trainer.train_batches.augmentation and trainer.train_batches.augmentation.seed == 5
        assert trainer.train_batches.seed == 5 and trainer.interval.steps == 7
        assert trainer.train_batches.batches_per_gather > 1
    if len(step.sides) > 1:
        side = settings.model.minimum_size + 15
        with build(replace(settings, data=replace(settings.data, resize=f"{side}"))) as trainer:
            assert trainer.step.sides == (side, side)


def test_only_the_training_split_varies(settings: Settings) -> None:
    experiment = Experiment(replace(settings, augment=AugmentSettings(noise=0.1)))
    varied = experiment.batches("train").augmentation
    assert varied and varied.dense == experiment.data.targets.dense and experiment.data.splits["train"].training
    for name in ("val", "test"):
        assert not experiment.batches(name).augmentation and not experiment.data.splits[name].training


def test_one_seed_gives_one_result_and_another_seed_another(settings: Settings) -> None:
    finals = []
    for seed in (0, 0, 1):
        with build(replace(settings, seed=seed)) as trainer:
            trainer.fit()
            finals.append(load_checkpoint(trainer.run.last))
    first, again, other = finals
    assert equal(first["model"], again["model"]) and torch.equal(first["losses"], again["losses"])
    assert not torch.equal(first["losses"], other["losses"])


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def noisy_batch(dataset: ArrayDataset, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = ArrayDataset.ordinary(dataset, indices)  # type: ignore[attr-defined]
    return (x + torch.randn_like(x) if dataset.training else x), y


def mixed_batch(dataset: ArrayDataset, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = ArrayDataset.ordinary(dataset, indices)  # type: ignore[attr-defined]
    return (x + x[torch.randperm(len(x))] if dataset.training else x), y


@pytest.mark.parametrize("draws", [None, noisy_batch, mixed_batch])
@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_run_that_is_stopped_anywhere_ends_with_the_same_bits(
    settings: Settings, steps: int, draws: Callable[..., Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dataset, too, may draw from the generators of torch (`draws`), though batches are gathered together."""
    if draws:
        monkeypatch.setattr(ArrayDataset, "ordinary", ArrayDataset.batch, raising=False)
        monkeypatch.setattr(ArrayDataset, "batch", draws)
    settings = replace(settings, augment=AugmentSettings(flip="all", shift=2, noise=0.1))
    with build(settings) as trainer:
        trainer.fit()
        whole = load_checkpoint(trainer.run.last)

    stop = StopRequest()
    with build(settings, stop) as trainer:
        count_down(trainer, steps, stop)
        with pytest.raises(Interrupted, match=f"after step {steps}"):
            trainer.fit()
        run = trainer.run
    with Experiment(settings, checkpoint=last_checkpoint(run)).trainer(run, StopRequest()) as trainer:
        assert trainer.global_step == steps
        trainer.fit()
    resumed = load_checkpoint(run.last)
    assert equal(resumed["model"], whole["model"])
    for key, moments in whole["optimizer"]["state"].items():
        assert equal(resumed["optimizer"]["state"][key], moments)
    assert torch.equal(resumed["losses"], whole["losses"]) and resumed["progress"] == whole["progress"]
    assert resumed["early_stopping"] == whole["early_stopping"]
    assert [step for step, _ in scalars(run.folder)["loss/val"]] == [2, 4]
    epochs = [json.loads(line) for line in (run.folder / "metrics.jsonl").open()]
    trained = [round(epoch["seconds"] * epoch["samples_per_second"]) for epoch in epochs]  # in this start of the run
    assert trained == [[62, 126], [0, 126], [126, 62], [126, 0]][steps - 1]


def count_down(trainer: Trainer, steps: int, stop: StopRequest) -> None:
    """Ask to stop after that many steps, as a signal would."""

    def after_step(*_: object) -> None:
        if trainer.global_step + 1 == steps:
            stop.signal_number = signal.SIGTERM

    trainer.step.optimizer.register_step_post_hook(after_step)


def test_a_loss_that_is_no_number_from_the_start_is_not_blamed_on_the_learning_rate(settings: Settings) -> None:
    with build(settings) as trainer:
        torch.nn.init.constant_(next(trainer.step.model.parameters()), torch.nan)
        with pytest.raises(DivergedError, match=r"the loss is nan; at step 1, batch 1 of epoch 1; look at the model"):
            trainer.fit()


def test_divergence_names_the_step_and_keeps_the_last_finite_checkpoint(settings: Settings) -> None:
    with build(replace(settings, epochs=3)) as trainer:
        trainer.epochs = 1
        trainer.fit()
        trainer.epochs = 3
        with torch.no_grad():
            next(trainer.step.model.parameters()).fill_(float("nan"))
        with pytest.raises(DivergedError, match=r"the loss is nan; at step 3, batch 1 of epoch 2; try a smaller"):
            trainer.fit()
        assert load_checkpoint(trainer.run.last)["progress"]["epoch"] == 1


def test_weights_that_broke_in_the_last_step_are_not_saved(settings: Settings) -> None:
    """The losses of the epoch are finite, but nothing after it would be."""
    with build(replace(settings, epochs=1)) as trainer:

        def break_weights(*_: object) -> None:
            if trainer.global_step == 1:
                next(trainer.step.model.parameters()).data.fill_(float("nan"))

        trainer.step.optimizer.register_step_post_hook(break_weights)
        with pytest.raises(DivergedError, match="the validation loss is nan; after step 2 of epoch 1; try a smaller"):
            trainer.fit()
        assert not trainer.run.last.exists() and not trainer.run.best.exists()


def test_a_signal_never_saves_broken_weights(settings: Settings) -> None:
    stop = StopRequest()
    with build(settings, stop) as trainer:
        trainer.epochs = 1
        trainer.fit()
        before = trainer.run.last.read_bytes()
        trainer.epochs = 2

        def break_weights(*_: object) -> None:
            next(trainer.step.model.parameters()).data.fill_(float("nan"))
            stop.signal_number = signal.SIGTERM

        trainer.step.optimizer.register_step_post_hook(break_weights)
        with pytest.raises(DivergedError, match="the weights are not finite; after step 3 of epoch 2"):
            trainer.fit()
        assert trainer.run.last.read_bytes() == before


def test_a_signal_while_the_best_weights_are_scored_leaves_the_last_ones_alone(settings: Settings) -> None:
    stop = StopRequest()
    experiment = Experiment(settings)
    with build(settings, stop) as trainer:
        trainer.fit()
        before = trainer.run.last.read_bytes()
        stop.signal_number = signal.SIGTERM
        with pytest.raises(Interrupted, match="stopped by SIGTERM"):
            Trained(trainer.run.folder, settings).score(experiment.data.splits["test"], trainer.heed_requests)
        assert trainer.run.last.read_bytes() == before


def test_a_validation_that_draws_is_interrupted_and_changes_no_bit(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of a model with dropout that is never switched off."""
    ordinary, stop = Step.forward, StopRequest()

    def forward(step: Step, x: torch.Tensor) -> torch.Tensor:
        if not step.model.training:
            stop.signal_number = signal.SIGTERM
        return ordinary(step, x) * (1 + torch.rand(()))

    monkeypatch.setattr(Step, "forward", forward)
    with build(settings) as trainer:
        trainer.fit()
        whole = load_checkpoint(trainer.run.last)
    stop.signal_number = None
    with build(settings, stop) as trainer:
        with pytest.raises(Interrupted, match="after step 2"):
            trainer.fit()
        run = trainer.run
    with Experiment(settings, checkpoint=last_checkpoint(run)).trainer(run, StopRequest()) as trainer:
        trainer.fit()
    assert equal(load_checkpoint(run.last)["model"], whole["model"])


def test_everything_is_on_the_disk_before_the_other_processes_may_leave(settings: Settings) -> None:
    stop = StopRequest()
    with build(settings, stop) as trainer:
        count_down(trainer, 2, stop)
        saver, workers, found = trainer.saver, trainer.workers, []

        def write_slowly(data: bytes, best: bool) -> None:
            time.sleep(0.2)
            Saver.write(saver, data, best)

        saver.write = write_slowly  # type: ignore[method-assign]
        workers.go_on_alone = lambda: found.append(last_checkpoint(trainer.run))  # type: ignore[method-assign]
        with pytest.raises(Interrupted):
            trainer.fit()
    assert [checkpoint["progress"]["step"] for checkpoint in found if checkpoint] == [2]


def test_a_checkpoint_within_an_epoch_changes_no_bit(settings: Settings) -> None:
    with build(settings) as trainer:
        trainer.fit()
        whole = load_checkpoint(trainer.run.last)
    with build(replace(settings, checkpoint_every="3")) as trainer:
        dead = trainer.run

        def die(*_: object) -> None:
            if trainer.global_step == 3:
                raise RuntimeError("killed")

        trainer.step.optimizer.register_step_post_hook(die)
        with pytest.raises(RuntimeError, match="killed"):
            trainer.fit()
    checkpoint = last_checkpoint(dead)
    assert checkpoint and checkpoint["progress"] == {"epoch": 1, "batch": 1, "step": 3}
    with Experiment(dead.settings, checkpoint=checkpoint).trainer(dead, StopRequest()) as trainer:
        trainer.fit()
    assert equal(load_checkpoint(dead.last)["model"], whole["model"])
    assert load_checkpoint(dead.previous)["progress"]["step"] == 3


def test_a_kill_between_the_line_of_an_epoch_and_its_checkpoint_doubles_no_line(settings: Settings) -> None:
    """The checkpoint that is continued is of the epoch's last step, like the line, which is written again."""
    with build(replace(settings, checkpoint_every="2")) as trainer:
        dead, save = trainer.run, trainer.save

        def die(*, best: bool = False) -> None:
            if trainer.batch == 0:  # the line is written
                raise RuntimeError("killed")
            save(best=best)

        trainer.save = die  # type: ignore[method-assign]
        with pytest.raises(RuntimeError, match="killed"):
            trainer.fit()
    checkpoint = last_checkpoint(dead)
    assert checkpoint and checkpoint["progress"] == {"epoch": 0, "batch": 2, "step": 2}
    assert (dead.folder / "metrics.jsonl").read_text().count("\n") == 1
    with Experiment(dead.settings, checkpoint=checkpoint).trainer(dead, StopRequest()) as trainer:
        trainer.fit()
    assert [json.loads(line)["step"] for line in (dead.folder / "metrics.jsonl").open()] == [2, 4]
    assert [step for step, _ in scalars(dead.folder)["loss/val"]] == [2, 4]


@pytest.mark.parametrize("killed", ["before the last checkpoint", "as the last one takes its place", "in epoch 1"])
def test_a_kill_between_the_best_checkpoint_and_the_last_one_loses_no_epoch(
    settings: Settings, tmp_path: Path, killed: str
) -> None:
    """Best and last checkpoint of an epoch are the same state; the best one is written first."""
    with build(replace(settings, epochs=1 if killed == "in epoch 1" else 2)) as trainer:

        def make_the_next_epoch_the_best(*_: object) -> None:
            trainer.early_stopping.best = math.inf

        trainer.step.optimizer.register_step_post_hook(make_the_next_epoch_the_best)
        trainer.fit()
        whole = trainer.run
    assert load_checkpoint(whole.best)["progress"] == load_checkpoint(whole.last)["progress"]
    dead = Run(Path(shutil.copytree(whole.folder, tmp_path / "dead")), replace(settings, epochs=3))
    if killed == "before the last checkpoint":
        dead.previous.replace(dead.last)
    else:  # the one before, if any, has been kept as previous.pt
        dead.last.unlink()
    ends = []
    for run in (Run(whole.folder, dead.settings), dead):
        checkpoint = last_checkpoint(run)
        assert checkpoint and checkpoint["source"].partition(",")[0] == ("best.pt" if run == dead else "last.pt")
        with Experiment(run.settings, checkpoint=checkpoint).trainer(run, StopRequest()) as trainer:
            trainer.fit()
        ends.append(load_checkpoint(run.last))
        assert [json.loads(line)["epoch"] for line in (run.folder / "metrics.jsonl").open()] == [1, 2, 3]
    assert equal(ends[0]["model"], ends[1]["model"]) and ends[0]["early_stopping"] == ends[1]["early_stopping"]


@pytest.mark.parametrize("change", ["freeze", "swap", "other"])
def test_a_changed_optimizer_does_not_get_the_moments_of_another_weight(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    with build(replace(settings, epochs=1)) as trainer:
        trainer.fit()

    def changed(model: torch.nn.Module, **numbers: Any) -> torch.optim.Optimizer:
        if change == "freeze":
            [parameter for parameter in model.parameters() if parameter.requires_grad][-1].requires_grad_(False)
        optimizer = build_optimizer(model, **numbers)
        if change == "swap":
            optimizer.param_groups[0]["params"].reverse()
        return optimizer if change != "other" else torch.optim.Rprop(optimizer.param_groups, lr=0.1)

    monkeypatch.setattr(experiment, "build_optimizer", changed)
    sentence = "the optimizer is another one than when the run began, or has .*; in model.py or optimizer.py; undo"
    with pytest.raises(RefusedError, match=sentence):
        Experiment(trainer.run.settings, checkpoint=last_checkpoint(trainer.run))


def test_a_crop_is_seen_as_it_is_where_targets_have_positions(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crops(ArrayDataset):
        def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x, y = super().batch(indices)
            return (x[..., 2:], y[..., 2:] if y.ndim > 2 else y) if self.training else (x, y)

    def look(module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        seen[module.training].add(inputs[0].shape[2:])

    monkeypatch.setattr(datasets, "build_dataset", lambda x, y, settings: Crops(x, y))
    seen: dict[bool, set[torch.Size]] = {True: set(), False: set()}
    with build(replace(settings, epochs=1)) as trainer:
        trainer.step.model.register_forward_pre_hook(look)
        trainer.fit()
    (crop,), (whole,) = seen[True], seen[False]
    assert crop == ((*whole[:-1], whole[-1] - 2) if Targets.dense else whole)


def test_a_resumed_run_computes_with_as_many_threads(settings: Settings) -> None:
    """With another number of them, sums differ in their last bits."""
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        with build(replace(settings, epochs=1)) as trainer:
            trainer.fit()
        torch.set_num_threads(threads)
        run = trainer.run
        with Experiment(run.settings, checkpoint=last_checkpoint(run)).trainer(run, StopRequest()):
            assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)


def test_a_batch_that_memory_has_no_room_for_gets_a_smaller_one(settings: Settings) -> None:
    with build(replace(settings, epochs=2)) as trainer:
        trainer.epochs = 1
        trainer.fit()
        trainer.epochs = 2
        before = trainer.run.last.read_bytes()
        trainer.step.model.register_forward_pre_hook(lambda *_: torch.empty(10**14) and None)
        sentence = r"out of memory \(no room for 4\d+ bytes\); after step 2, with batches of 64; in a new run"
        with pytest.raises(OutOfMemoryError, match=sentence):
            trainer.fit()
        assert trainer.run.last.read_bytes() == before


def test_an_operation_that_torch_cannot_repeat_is_named(settings: Settings) -> None:
    def put(module: torch.nn.Module, inputs: object) -> None:
        torch.zeros(1).put_(torch.tensor([0]), torch.ones(1))

    try:
        with build(replace(settings, deterministic=True)) as trainer:
            trainer.step.model.register_forward_pre_hook(put)
            with pytest.raises(ConfigError, match="torch has no put_ that gives the same bits each time; in the model"):
                trainer.fit()
    finally:
        torch.use_deterministic_algorithms(False)


def test_no_step_waits_for_the_host(settings: Settings) -> None:
    """Reading a number from the device (`.item()`, `.nonzero()`, `if tensor:`) happens per epoch, not per step."""

    class Reads(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            self.count += str(function).split(".")[1] in ("_local_scalar_dense", "nonzero")
            return function(*args, **(kwargs or {}))

    counts = []
    for batch_size in (63, 9):  # 2 steps, 14 steps
        with build(replace(settings, epochs=1, batch_size=batch_size)) as trainer, Reads() as reads:
            trainer.fit()
            counts.append(reads.count)
    assert trainer.global_step == 14 and counts[0] == counts[1] > 0


def test_patience_stops_and_the_best_epoch_is_scored(settings: Settings) -> None:
    with build(replace(settings, epochs=30, patience=2, lr=1e-30)) as trainer:
        trainer.step.model.eval()
        trainer.step.model.train = lambda mode=True: None  # no batch statistics, so that nothing ever changes
        state, reason = trainer.fit()
        assert (state, reason) == ("stopped_early", "2 epochs without a better val_loss")
        assert trainer.epoch == trainer.early_stopping.best_epoch + 2
        assert load_checkpoint(trainer.run.best)["progress"]["epoch"] == trainer.early_stopping.best_epoch


def test_the_train_loss_weighs_every_sample_the_same(settings: Settings) -> None:
    """The last batch is smaller; with no learning, the mean over batches of any size is the same."""
    losses = []
    for batch_size in (64, 100, 126):
        with build(replace(settings, epochs=1, lr=1e-30, batch_size=batch_size)) as trainer:
            trainer.step.model.eval()
            trainer.step.model.train = lambda mode=True: None  # no dropout, no batch statistics
            trainer.fit()
            line = json.loads((trainer.run.folder / "metrics.jsonl").read_text())
            losses.append(line["train_loss"])
    assert losses[0] == pytest.approx(losses[2], rel=1e-5) and losses[1] == pytest.approx(losses[2], rel=1e-5)
