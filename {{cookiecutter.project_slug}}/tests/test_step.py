"""One step learns, in every precision, and continues exactly from a checkpoint."""

from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from {{ cookiecutter.__package }}.checkpoint import load_checkpoint, serialize, write_checkpoint
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.errors import ConfigError
from {{ cookiecutter.__package }}.experiment import Experiment
from {{ cookiecutter.__package }}.optimizer import build_optimizer
from {{ cookiecutter.__package }}.step import Step, resize

CPU = torch.device("cpu")
STEPS = 60


def build(settings: Settings, precision: torch.dtype = torch.float32) -> tuple[Step, torch.Tensor, torch.Tensor]:
    experiment = Experiment(settings)
    optimizer = build_optimizer(experiment.model, lr=settings.lr, weight_decay=0.0)
    step = Step(
        experiment.model,
        experiment.task,
        optimizer,
        device=CPU,
        precision=precision,
        sides=experiment.input_shape[1:],
        accumulate=settings.accumulate,
        clip_norm=settings.clip_norm,
        workers=experiment.workers,
    )
    return step, *next(experiment.batches("train").epoch())


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_steps_on_one_batch_halve_its_loss(settings: Settings, precision: torch.dtype) -> None:
    step, x, y = build(replace(settings, batch_size=8), precision)
    first = step(x, y, len(x)).item()
    assert any(step(x, y, len(x)).item() < 0.5 * first for _ in range(STEPS))
    assert next(step.model.parameters()).dtype == torch.float32


def test_a_batch_in_parts_gives_the_same_step(settings: Settings) -> None:
    """Without dropout, and with the statistics of batch norm held."""
    (whole, x, y), (parts, _, _) = build(settings), build(replace(settings, accumulate=3))
    whole.model.eval()
    parts.model.eval()
    torch.testing.assert_close(parts(x, y, len(x)), whole(x, y, len(x)))
    for part, parameter in zip(parts.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(part.grad, parameter.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("precision", [torch.float32, torch.float16])
def test_long_gradients_are_shortened(settings: Settings, precision: torch.dtype) -> None:
    step, x, y = build(replace(settings, clip_norm=1e-3), precision)
    step(x, y, len(x))
    squares = [parameter.grad.square().sum() for parameter in step.model.parameters() if parameter.grad is not None]
    assert sum(squares) ** 0.5 == pytest.approx(1e-3, rel=1e-2)


def test_the_loss_stays_on_the_device_without_its_graph(settings: Settings) -> None:
    step, x, y = build(settings)
    loss = step(x, y, len(x))
    assert loss.shape == () and not loss.requires_grad and loss.device == CPU


@pytest.mark.parametrize("precision", [torch.float32, torch.float16])
def test_a_step_after_a_checkpoint_is_the_same_to_the_bit(settings: Settings, tmp_path, precision: torch.dtype) -> None:
    step, x, y = build(settings, precision)
    step(x, y, len(x))
    if precision == torch.float16:
        step.scaler.update(512.0)  # what fp16 multiplies the loss by changes as it learns
    write_checkpoint(serialize(step.state_dict()), tmp_path / "last.pt")
    torch.manual_seed(5)
    step(x, y, len(x))

    resumed, x, y = build(settings, precision)
    resumed.load_state_dict(load_checkpoint(tmp_path / "last.pt"))
    torch.manual_seed(5)
    resumed(x, y, len(x))
    assert resumed.scaler.state_dict() == step.scaler.state_dict()
    for name, weight in step.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name


def test_how_the_optimizer_computes_is_not_taken_from_a_checkpoint(settings: Settings) -> None:
    """One of a GPU may be continued on the CPU."""
    step, x, y = build(settings)
    step(x, y, len(x))
    state = step.state_dict()
    for group in state["optimizer"]["param_groups"]:
        group |= {"capturable": True, "lr": torch.tensor(0.5)}
    resumed, x, y = build(settings)
    resumed.load_state_dict(state)
    assert [group["capturable"] for group in resumed.optimizer.param_groups] == [False, False]
    assert [group["lr"] for group in resumed.optimizer.param_groups] == [settings.lr, settings.lr]
    resumed(x, y, len(x))


def test_numbers_that_an_optimizer_keeps_beside_its_moments_are_continued(settings: Settings) -> None:
    step, x, y = build(settings)
    step(x, y, len(x))
    step.optimizer.param_groups[1]["k"] = 3  # as a warm-up of its own would count
    resumed, _, _ = build(settings)
    resumed.optimizer.param_groups[1]["k"] = 0
    resumed.load_state_dict(step.state_dict())
    assert resumed.optimizer.param_groups[1]["k"] == 3


def test_moments_in_double_precision_stay_so(settings: Settings) -> None:
    """As an optimizer that adds up many small numbers may keep them: torch would cast them to the weights' type."""
    step, x, y = build(settings)
    step(x, y, len(x))
    for state in step.optimizer.state.values():
        state["mine"] = state["exp_avg"].double() / 3
    saved = step.state_dict()
    resumed, _, _ = build(settings)
    resumed.load_state_dict(saved)
    pairs = list(zip(step.optimizer.state.values(), resumed.optimizer.state.values(), strict=True))
    assert pairs and all(torch.equal(old["mine"], new["mine"]) for old, new in pairs)
    assert all(new["mine"].dtype == torch.float64 for _, new in pairs)


def test_a_count_of_steps_may_be_a_whole_number(settings: Settings) -> None:
    """Of which torch makes a tensor as it loads it."""
    step, x, y = build(settings)
    step(x, y, len(x))
    saved = step.state_dict()
    saved["optimizer"]["state"] = {n: {**state, "step": 1} for n, state in saved["optimizer"]["state"].items()}
    resumed, x, y = build(settings)
    resumed.load_state_dict(saved)
    resumed(x, y, len(x))


class Wrapped(torch.optim.AdamW):
    """Keeps something of its own, for one weight, where torch keeps the moments; as wrappers of optimizers do."""

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"own": [3]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict({key: state[key] for key in state if key != "own"})
        self.moments, self.own = dict(self.state), state["own"]
        self.state.clear()
        self.state[self.param_groups[0]["params"][0]] = {"slow": torch.ones(2)}


def test_an_optimizer_may_load_its_state_in_its_own_way(settings: Settings) -> None:
    step, x, y = build(settings)
    step.optimizer = Wrapped(step.optimizer.param_groups)
    step(x, y, len(x))
    resumed, _, _ = build(settings)
    resumed.optimizer = wrapped = Wrapped(resumed.optimizer.param_groups)
    resumed.load_state_dict(step.state_dict())
    assert wrapped.own == [3] and len(wrapped.moments) > 1
    assert [list(state) for state in wrapped.state.values()] == [["slow"]]


def test_a_layer_that_is_made_or_thawed_too_late_is_found(settings: Settings) -> None:
    step, x, y = build(settings)
    step.model.late = torch.nn.Linear(2, 2)
    with pytest.raises(ConfigError, match=r"the optimizer lacks the weight late\.weight; in model.py or optimi"):
        step.state_dict()
    step.model.late.requires_grad_(False)
    step(x, y, len(x))
    step.state_dict()
    step.model.late.requires_grad_(True)
    with pytest.raises(ConfigError, match=r"lacks the weight late\.weight; .*; make all layers"):
        step.state_dict()


def test_a_layer_may_be_frozen_for_some_epochs(settings: Settings) -> None:
    """As the README says: the optimizer has it, and skips it without a gradient."""
    step, x, y = build(settings)
    first = next(step.model.parameters())
    before = first.detach().clone()
    for frozen in (True, False):
        first.requires_grad_(not frozen)
        step(x, y, len(x))
        step.state_dict()
        assert torch.equal(first, before) == frozen


@pytest.mark.parametrize("kind", [float, np.float64])
def test_a_schedule_may_compute_with_numpy(settings: Settings, kind: type) -> None:
    step, _, _ = build(settings)
    step.scale_learning_rates(kind(0.25))
    serialize(step.state_dict())  # which refuses what a checkpoint cannot hold
    assert [group["lr"] for group in step.optimizer.param_groups] == [settings.lr / 4, settings.lr / 4]


def test_groups_of_weights_keep_learning_rates_of_their_own(settings: Settings) -> None:
    """As when a backbone is tuned by a tenth of what a new head gets; also in a run that is resumed."""
    step, _, _ = build(settings)
    step.optimizer.param_groups[0]["lr"] = 0.1
    step.__post_init__()  # as if build_optimizer had made it so
    for factor in (1, 0.5, 0.25):
        step.scale_learning_rates(factor)
        assert [group["lr"] for group in step.optimizer.param_groups] == [0.1 * factor, settings.lr * factor]
    step.load_state_dict(step.state_dict())
    step.scale_learning_rates(1)
    assert [group["lr"] for group in step.optimizer.param_groups] == [0.1, settings.lr]


class Operations(TorchDispatchMode):
    """Counts what torch is asked to do, in the backward pass, too."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.counts[function.overloadpacket.__name__] += 1
        return function(*args, **(kwargs or {}))


def test_what_is_off_computes_nothing(settings: Settings) -> None:
    """Without clipping, accumulation, fp16 and other processes, a step is a bare one, with three views of tensors."""
    step, x, y = build(settings)
    step(x, y, len(x))  # the optimizer makes its state
    with Operations() as whole:
        step(x, y, len(x))
    with Operations() as bare:
        step.optimizer.zero_grad()
        step.task.loss(step.forward(x), y).backward()
        step.optimizer.step()
    assert whole.counts - bare.counts == {"split": 2, "detach": 1} and not bare.counts - whole.counts


@pytest.mark.parametrize("recorded", [False, True])
def test_a_learning_rate_is_set_by_the_schedule_alone(settings: Settings, recorded: bool) -> None:
    """For steps that a GPU records, each group has its rate in a tensor of its own, and nothing else differs."""
    step, _, _ = build(settings)
    step.optimizer = build_optimizer(step.model, lr=settings.lr, weight_decay=0.0, capturable=recorded)
    for factor in (1, 0.5, 1e-41, 0, 0.25):
        step.scale_learning_rates(factor)
        rates = [float(group["lr"]) for group in step.optimizer.param_groups]
        assert rates == pytest.approx([settings.lr * factor] * 2)
    torch.optim.lr_scheduler.ReduceLROnPlateau(step.optimizer, patience=0).step(1.0)
    step.scale_learning_rates(0.5)  # it has not changed anything yet
    step.optimizer.param_groups[1]["lr"] *= 0.1
    with pytest.raises(ConfigError, match=r"rate is set by something else, too; in trainer\.py; let build_"):
        step.scale_learning_rates(0.25)
    assert float(step.optimizer.param_groups[0]["lr"]) == pytest.approx(settings.lr / 2)


def test_every_setting_of_the_model_is_an_argument_of_build_model(settings: Settings) -> None:
    from inspect import signature

    from {{ cookiecutter.__package }}.model import build_model

    assert set(asdict(settings.model)) == set(signature(build_model).parameters) - {"sample_shape", "out_size"}


@pytest.mark.parametrize(
    ("shape", "sides"), [((2, 5), (8,)), ((2, 2, 3), (4, 4)), ((1, 2, 3, 4), (4, 4, 4)), ((3,), ())]
)
def test_samples_are_resized(shape: tuple[int, ...], sides: tuple[int, ...]) -> None:
    resized = resize(torch.ones(3, *shape), sides)
    assert resized.shape == (3, shape[0], *sides) and torch.allclose(resized, torch.ones(()))


def test_a_smaller_sample_has_the_means_of_what_falls_together() -> None:
    x = torch.arange(8.0).view(1, 1, 2, 4)
    assert resize(x, (2, 2)).tolist() == [[[[0.5, 2.5], [4.5, 6.5]]]]
    assert resize(torch.tensor([[[0.0, 0.0, 0.0, 8.0]]]), (1,)).item() == 2  # not what lies in the middle
    assert resize(x, (1, 8)).shape == (1, 1, 1, 8)  # smaller and larger at once


@pytest.mark.parametrize("precision", [torch.float32, torch.float16])
def test_a_share_without_samples_takes_part(settings: Settings, precision: torch.dtype) -> None:
    """As of a batch that is smaller than the number of processes; with fp16, it may be the first one."""
    step, x, y = build(settings, precision)
    for parameter in step.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    step.optimizer.zero_grad = lambda: None  # type: ignore[method-assign]  # the gradients of the others
    assert step(x[:0], y[:0], 1).item() == 0
