"""Steps that the GPU replays are those that it would have been asked for; and no step waits for it."""

import itertools
import sys
from dataclasses import replace

import pytest
import torch

from {{ cookiecutter.__package }} import experiment
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.errors import ConfigError
from {{ cookiecutter.__package }}.experiment import Experiment
from {{ cookiecutter.__package }}.graph import MOST, WARM_UP, ReplayedStep
from {{ cookiecutter.__package }}.trainer import Trainer

from .test_trainer import build

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device on this machine")


def on_gpu(settings: Settings, *, replays: bool = True) -> Trainer:
    """Return a trainer with 14 batches of 9 samples; nothing is left out at random."""
    dropout = {"dropout": 0.0} if hasattr(settings.model, "dropout") else {}
    model = replace(settings.model, **dropout)
    return build(replace(settings, device="cuda", batch_size=9, model=model, cuda_graph=replays))


def losses(trainer: Trainer, epochs: int) -> list[float]:
    batches = itertools.chain.from_iterable(trainer.train_batches.epoch(epoch) for epoch in range(epochs))
    return [trainer.step(x, y, len(x)).item() for x, y in batches]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_replayed_steps_learn_as_ordinary_ones(settings: Settings, precision: str) -> None:
    settings = replace(settings, precision=precision, lr=1e-4)
    with on_gpu(settings) as replayed, on_gpu(settings, replays=False) as ordinary:
        assert isinstance(replayed.step, ReplayedStep) and not isinstance(ordinary.step, ReplayedStep)
        both = losses(replayed, 5), losses(ordinary, 5)
        assert replayed.step.recordings
    assert both[0] == pytest.approx(both[1], rel=0.1 if precision == "bf16" else 0.02)


@pytest.mark.parametrize("replays", [True, False])
def test_no_step_waits_for_the_gpu(settings: Settings, replays: bool) -> None:
    with on_gpu(settings, replays=replays) as trainer:
        trainer.train_batches.batches_per_gather = 2  # so that some are gathered below, too
        losses(trainer, WARM_UP + 1)
        batches = trainer.train_batches.epoch(WARM_UP + 1)
        next(batches)
        torch.cuda.set_sync_debug_mode("error")
        try:
            for x, y in batches:
                trainer.step(x, y, len(x))
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_the_learning_rate_reaches_a_recording(settings: Settings) -> None:
    with on_gpu(settings) as trainer:
        losses(trainer, WARM_UP + 1)
        before = [parameter.clone() for parameter in trainer.step.model.parameters()]
        trainer.step.scale_learning_rates(0.0)
        losses(trainer, 1)
        assert all(map(torch.equal, before, trainer.step.model.parameters()))


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_an_optimizer_whose_rate_a_recording_would_keep_is_not_replayed(
    settings: Settings, optimizer: type[torch.optim.Optimizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build_optimizer(model: torch.nn.Module, *, lr: float, **others: object) -> torch.optim.Optimizer:
        return optimizer(model.parameters(), lr=lr)  # type: ignore[call-arg]

    monkeypatch.setattr(experiment, "build_optimizer", build_optimizer)
    with on_gpu(settings) as trainer:
        losses(trainer, WARM_UP + 1)
        assert isinstance(trainer.step, ReplayedStep) and not trainer.step.recordings
        assert (trainer.run.folder / "train.log").read_text().count("no step is replayed") == 1


def test_a_step_that_waits_is_not_recorded_and_says_so(settings: Settings) -> None:
    with on_gpu(settings) as trainer:
        trainer.step.model.register_forward_pre_hook(lambda module, inputs: inputs[0].sum().item() and None)
        losses(trainer, 1)
        assert isinstance(trainer.step, ReplayedStep) and trainer.step.never_replays and not trainer.step.recordings
        assert (trainer.run.folder / "train.log").read_text().count("cannot be replayed") == 1


def test_of_many_shapes_the_first_ones_are_replayed(settings: Settings) -> None:
    """As crops of random sizes have them: a recording of each would fill the memory."""
    with on_gpu(settings) as trainer:
        x, y = next(iter(trainer.train_batches.epoch()))
        for size in range(2, 9):
            for _ in range(WARM_UP + 2):
                trainer.step(x[:size], y[:size], size)
        assert isinstance(trainer.step, ReplayedStep) and len(trainer.step.recordings) == MOST
        assert (trainer.run.folder / "train.log").read_text().count("batches have many shapes") == 1


def test_a_step_that_cannot_be_recorded_is_an_error(settings: Settings) -> None:
    def fail(module: torch.nn.Module, inputs: object) -> None:
        if torch.cuda.is_current_stream_capturing():
            raise RuntimeError("not here")

    with on_gpu(settings) as trainer:
        trainer.step.model.register_forward_pre_hook(fail)
        with pytest.raises(ConfigError, match=r"the step cannot be recorded \(not here\); .*--no-cuda-graph"):
            losses(trainer, 1)


@pytest.mark.parametrize("flags", [{"deterministic": True}, {"compile": True}, {"precision": "fp16"}])
def test_what_would_not_be_exact_is_not_replayed(
    settings: Settings, flags: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", sys.executable)  # some program: nothing is compiled
    assert not Experiment(replace(settings, device="cuda", **flags)).replays
