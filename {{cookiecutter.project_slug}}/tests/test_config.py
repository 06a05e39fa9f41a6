"""Settings that cannot be are refused in one sentence."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.errors import ConfigError


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"lr": float("nan")}, "--lr is nan; in the settings; it must be above 0, and finite"),
        ({"lr": -1.0}, "--lr is -1.0"),
        ({"epochs": 0}, "--epochs is 0; in the settings; it must be 1 to 2**31 - 1"),
        ({"batch_size": 0}, "--batch-size is 0"),
        ({"patience": -1}, "--patience is -1; in the settings; it must be 0 to 2**31 - 1"),
        ({"weight_decay": float("inf")}, "--weight-decay is inf"),
        ({"runs_dir": Path("caf\udce9")}, r"--runs-dir is caf\udce9; in the settings; it must be a path"),
        ({"runs_dir": Path("a\0b")}, r"--runs-dir is a\x00b"),
        ({"runs_dir": Path("~/runs")}, "--runs-dir is ~/runs; in the settings; it must be a path without NUL"),
        ({"checkpoint_every": "0.0min"}, "--checkpoint-every is 0.0min"),
        ({"name": "_x..y"}, "--name is _x..y"),
        ({"name": 86 * "丹"}, "--name is 丹丹"),
        ({"name": "../x"}, "--name is ../x; in the settings; it must be 1 to 100 letters"),
    ],
)
def test_impossible_settings_get_one_sentence(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(Settings(), **wrong)
    assert str(caught.value).startswith(sentence)
