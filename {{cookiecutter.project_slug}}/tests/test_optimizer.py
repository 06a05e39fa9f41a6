"""The optimizer decays what should be decayed; the schedule is a function of the epoch."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from {{ cookiecutter.__package }}.errors import ConfigError
from {{ cookiecutter.__package }}.optimizer import AdamW, build_optimizer, build_schedule, layout


def test_biases_and_norms_are_not_decayed() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    decayed, spared = build_optimizer(model, lr=0.1, weight_decay=0.05).param_groups
    assert {p.ndim for p in decayed["params"]} == {2, 4} and decayed["weight_decay"] == 0.05
    assert {p.ndim for p in spared["params"]} == {1} and spared["weight_decay"] == 0


def test_a_weight_that_it_was_not_given_is_found_at_the_start() -> None:
    """Its gradients would pile up, and count for --clip-norm."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = torch.optim.SGD(model[0].parameters(), lr=0.1)
    with pytest.raises(ConfigError, match=r"the optimizer lacks the weight 1\.weight; in model.py or optimizer"):
        layout(model, optimizer, began=None)
    model[1].requires_grad_(False)
    assert layout(model, optimizer, began=None) == ["SGD", ["0.weight", "0.bias"]]


def test_it_takes_the_steps_of_torch() -> None:
    weights = []
    for kind in (AdamW, torch.optim.AdamW):
        torch.manual_seed(0)
        model = nn.Linear(5, 3)
        optimizer = kind(model.parameters(), lr=0.1, weight_decay=0.05, fused=True)
        for _ in range(5):
            optimizer.zero_grad()
            model(torch.randn(4, 5)).square().mean().backward()
            optimizer.step()
        weights.append(model.weight.detach())
    assert torch.equal(*weights)


def test_gradients_are_dropped_or_zero() -> None:
    weight, unused = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    optimizer = AdamW([weight, unused], fused=True)
    weight.grad = torch.ones(3)
    optimizer.zero_grad(set_to_none=False)
    assert torch.equal(weight.grad, torch.zeros(3)) and unused.grad is None
    optimizer.zero_grad()
    assert weight.grad is None


def test_hooks_are_called() -> None:
    weight, called = nn.Parameter(torch.ones(3)), []
    optimizer = AdamW([weight], fused=True)
    optimizer.step()
    handles = [
        register(lambda *_, when=when: called.append(when))
        for when, register in {
            "before all": register_optimizer_step_pre_hook,
            "before": optimizer.register_step_pre_hook,
            "after": optimizer.register_step_post_hook,
            "after all": register_optimizer_step_post_hook,
        }.items()
    ]
    optimizer.step()
    assert called == ["before all", "before", "after", "after all"]
    for handle in handles:
        called.clear()
        optimizer.step()
        assert len(called) == 4 - handles.index(handle)
        handle.remove()


def test_a_start_does_not_wait_for_a_compiler(small: Path) -> None:
    """torch.compile's modules take as long to import as all the rest; nothing but --compile needs them."""
    code = (
        "import sys; from {{ cookiecutter.__package }}.cli import main; "
        f"assert main(['train', '--fast-dev-run', '--data.path={small}', '--device=cpu']) == 0; "
        "print({'torch._dynamo', 'sympy', 'matplotlib'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "set()", result.stderr


def test_the_learning_rate_falls_from_lr_to_almost_nothing() -> None:
    schedule = build_schedule(epochs=10)
    factors = [schedule(epoch) for epoch in range(10)]
    assert factors[0] == 1 and factors[5] == pytest.approx(0.5)
    assert factors == sorted(factors, reverse=True) and 0 < factors[-1] < 0.1


def test_channels_last_moments_survive_a_checkpoint(tmp_path) -> None:
    """Fused AdamW ignores strides on the CPU: moments in another layout than their weights go silently wrong."""
    from {{ cookiecutter.__package }}.checkpoint import load_checkpoint, serialize, write_checkpoint

    def build() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
        return model, build_optimizer(model, lr=0.1, weight_decay=0.0)

    def learn(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
        x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()

    model, optimizer = build()
    learn(model, optimizer, 1)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    write_checkpoint(serialize(state), tmp_path / "last.pt")
    learn(model, optimizer, 2)

    resumed, resumed_optimizer = build()
    state = load_checkpoint(tmp_path / "last.pt")
    resumed.load_state_dict(state["model"])
    resumed_optimizer.load_state_dict(state["optimizer"])
    learn(resumed, resumed_optimizer, 2)
    assert torch.equal(resumed.weight, model.weight)
