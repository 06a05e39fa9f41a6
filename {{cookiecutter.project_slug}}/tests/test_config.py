"""Settings are checked, and survive a trip through YAML."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from {{ cookiecutter.__package }}.cli import Train, parse
from {{ cookiecutter.__package }}.config import DataSettings, Settings, read_flags, to_yaml
from {{ cookiecutter.__package }}.errors import ConfigError


def test_settings_survive_yaml(tmp_path: Path) -> None:
    settings = Settings(lr=1e-5, deterministic=True, data=DataSettings(path=Path("a b/ä.npz"), split_seed=3))
    (tmp_path / "config.yaml").write_text(to_yaml(settings), encoding="utf-8")
    command = parse(["train", *read_flags(tmp_path / "config.yaml")])
    assert isinstance(command, Train) and command.settings == settings


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"lr": float("nan")}, "--lr is nan; in the settings; it must be above 0, and finite"),
        ({"lr": -1.0}, "--lr is -1.0"),
        ({"epochs": 0}, "--epochs is 0; in the settings; it must be at least 1"),
        ({"batch_size": 0}, "--batch-size is 0"),
        ({"patience": -1}, "--patience is -1; in the settings; it must be 0 or more, and finite"),
        ({"weight_decay": float("inf")}, "--weight-decay is inf"),
        ({"name": "../x"}, "--name is ../x; in the settings; it must be made of letters"),
    ],
)
def test_impossible_settings_get_one_sentence(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(Settings(), **wrong)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lr: [1", "cannot read the settings"),
        ("- lr", "the file holds no settings"),
        ("!!python/object/apply:os.getcwd []", "cannot read the settings"),
    ],
)
def test_a_broken_file_gets_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        read_flags(tmp_path / "config.yaml")
