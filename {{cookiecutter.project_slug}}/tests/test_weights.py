"""A model starts from the weights of another run only where they fit."""

import pytest
import torch
from torch import nn

from {{ cookiecutter.__package }}.errors import ConfigError, RefusedError
from {{ cookiecutter.__package }}.weights import load_weights, load_what_fits


def test_weights_of_another_model_are_refused() -> None:
    with pytest.raises(RefusedError, match=r"the model has other weights than when the run began; in model.py; undo"):
        load_weights(nn.Linear(3, 2), nn.Linear(3, 4).state_dict())


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
