"""A model starts from the weights of another run only where they fit."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from {{ cookiecutter.__package }} import weights
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.errors import ConfigError, RefusedError
from {{ cookiecutter.__package }}.weights import left_out, load_weights, load_what_fits


def test_weights_of_another_model_are_refused() -> None:
    with pytest.raises(RefusedError, match=r"other weights than when the run began, such as weight; in model.py or"):
        load_weights(nn.Linear(3, 2), nn.Linear(3, 4).state_dict())


class Counting(nn.Linear):
    """A layer with a state of its own kind."""

    count = 0

    def get_extra_state(self) -> dict[str, int]:
        return {"count": self.count}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.count = state["count"]


def test_a_state_of_ones_own_is_no_weight_and_comes_along() -> None:
    trained, model = Counting(3, 4), Counting(3, 4)
    trained.count = 7
    load_weights(model, trained.state_dict())
    assert model.count == 7 and torch.equal(model.weight, trained.weight)
    assert load_what_fits(Counting(3, 4), trained.state_dict()) == []
    assert load_what_fits(Counting(3, 4), nn.Linear(3, 4).state_dict()) == ["_extra_state"]


class Forgetful(nn.Module):
    """Has a layer, a matrix and a number that its state lacks."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(3, 3)]
        self.within = nn.Sequential(nn.Linear(3, 3))
        self.within.matrix = torch.randn(3, 3)  # type: ignore[assignment]
        self.register_buffer("kept", torch.ones(3))


def test_what_no_checkpoint_has_is_named() -> None:
    """A weight that is computed from others is not meant."""
    assert [*left_out(Forgetful())] == ["layers", "within.matrix"]
    for normalise in (nn.utils.spectral_norm, nn.utils.parametrizations.weight_norm):
        assert [*left_out(nn.Sequential(normalise(nn.Linear(3, 3)), nn.LSTM(3, 3)))] == []


def test_layers_without_sizes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "build_model", lambda shape, out_size, **settings: nn.LazyLinear(out_size))
    with pytest.raises(ConfigError, match=r"layers whose sizes are not known before its first batch; in model"):
        weights.build_checked(Settings(), (5,), 4, 8)


def test_what_fits_is_copied_and_the_rest_is_named() -> None:
    model, other = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    before = model[1].weight.clone()
    assert load_what_fits(model, other.state_dict()) == ["1.weight", "1.bias"]
    assert torch.equal(model[0].weight, other[0].weight) and torch.equal(model[1].weight, before)


def test_weights_that_nothing_fits_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"no weights of the other run fit this model; .*; choose a run of this model"
    ):
        load_what_fits(nn.Linear(3, 4), nn.Linear(5, 4).state_dict())


@pytest.mark.parametrize("compute", [lambda rates: [rate.item() for rate in rates], lambda rates: rates.numpy()])
def test_a_model_may_compute_while_it_is_built(monkeypatch: pytest.MonkeyPatch, compute: Callable[..., Any]) -> None:
    """Weights without memory have no numbers; then there is a second model for a moment, which draws no number."""

    def build(shape: tuple[int, ...], out_size: int, **settings: object) -> nn.Module:
        rates = compute(torch.linspace(0, 0.1, 3))
        return nn.Sequential(nn.Dropout(rates[-1]), nn.Linear(shape[0], out_size))

    monkeypatch.setattr(weights, "build_model", build)
    torch.manual_seed(3)
    expected = build((5,), 4)
    torch.manual_seed(3)
    built = weights.build_checked(Settings(), (5,), 4, 8)
    assert torch.equal(built[1].weight, expected[1].weight)


def test_a_model_may_load_weights_while_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a backbone, say; what has no memory does not take them, of which torch would warn."""
    saved = nn.Linear(5, 4).state_dict()

    def build(shape: tuple[int, ...], out_size: int, **settings: object) -> nn.Module:
        model = nn.Linear(shape[0], out_size)
        model.load_state_dict(saved)
        return model

    monkeypatch.setattr(weights, "build_model", build)
    with warnings.catch_warnings(action="error"):
        built = weights.build_checked(Settings(), (5,), 4, 8)
    assert torch.equal(built.weight, saved["weight"])
