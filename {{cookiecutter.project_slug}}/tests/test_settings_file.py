"""Settings survive a trip through YAML; a broken file gets one sentence."""

from contextlib import nullcontext
from dataclasses import field, make_dataclass
from enum import Enum
from pathlib import Path
from typing import Literal, Optional

import numpy as np
import pytest
import yaml

from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.data_config import DataSettings
from {{ cookiecutter.__package }}.errors import ConfigError, RefusedError
from {{ cookiecutter.__package }}.experiment import Experiment
from {{ cookiecutter.__package }}.parsing import check_saved, parse
from {{ cookiecutter.__package }}.settings_file import check_changes, flatten, read_flags, saved_settings, to_yaml


def test_settings_survive_yaml(tmp_path: Path) -> None:
    settings = Settings(lr=1e-5, deterministic=True, data=DataSettings(path=Path("a b/ä.npz"), split_seed=3))
    (tmp_path / "config.yaml").write_text(to_yaml(settings), encoding="utf-8")
    assert parse(Settings, read_flags(tmp_path / "config.yaml")) == settings


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        (float, 1, True),
        (tuple[Path, ...], (Path("a.pt"), Path("b.pt")), True),
        (tuple[int, int], (3, -4), True),
        (tuple[float, ...], (0.9, 1e-5), True),
        (tuple[str, ...], (), True),
        (Literal["a", "b"], "b", True),
        (Optional[bool], True, False),
        (set[int], {1}, False),
        (Colour, Colour.RED, False),
    ],
)
def test_what_a_setting_of_ones_own_may_be(kind: type, value: object, fits: bool) -> None:
    """Otherwise, a run would be trained that nothing could read."""
    own = ("own", kind, field(default_factory=lambda: value))
    mine = make_dataclass("Mine", [own], bases=(Settings,), frozen=True, kw_only=True)
    if fits:
        check_saved(mine())
    else:
        with pytest.raises(ConfigError, match=r"config.yaml (could not hold the|would make).*; in config.py, or where"):
            check_saved(mine())


@pytest.mark.parametrize("name", ["lambda_", "in_", "two_words", "a_b_"])
def test_a_setting_of_ones_own_may_have_any_name(name: str) -> None:
    own = (name, float, field(default=0.5))
    mine = make_dataclass("Mine", [own], bases=(Settings,), frozen=True, kw_only=True)
    check_saved(mine(**{name: 0.1}))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (Settings(lr=np.float64(0.1)), r"could not hold the settings \(.*np.float64\(0.1\)"),
        (Settings(seed=np.int64(1)), r"could not hold the settings \(.*np.int64\(1\)"),
        (Settings(runs_dir="runs"), r"would make \w+Path\('runs'\) of --runs-dir, which is 'runs'; .*; make it"),  # type: ignore[arg-type]
        (Settings(data=DataSettings(split="orderd")), r"could not hold the settings \(.*invalid choice 'orderd'"),  # type: ignore[arg-type]
    ],
)
def test_settings_that_are_made_in_python_are_checked_before_they_are_used(settings: Settings, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Experiment(settings)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lr: [1", r"cannot read the settings \(while parsing a flow sequence in line 1, column 5"),
        ("- lr", "the file holds no settings"),
        ("[" * 3000, "cannot read the settings"),
        ("name:\nlr: 0.1", "name has no value"),
        ("model:\n  # dropout: 0\nlr: 0.1", "model has no value"),
        ("data: {resident: no}", "data.resident has a word that YAML reads as False; .*; put quotes around it"),
        ("patience: true", "patience has a word that YAML reads as True; .*; put quotes around it"),
        ("init_from: no", "init-from has a word that YAML reads as False; .*; put quotes around it"),
        ("compile: 'true'", "--compile is 'true'; .*; write true or false, without quotes"),
        ("compile: 1", "--compile is '1'; .*; write true or false, without quotes"),
        ("epochs: [1, 2]", "epochs has several values; .*; give it one"),
        ("batch_size: [3, --lr=7]", "batch-size has several values; .*; give it one"),
        ("data: {path: [a, b]}", "data.path has several values; .*; give it one"),
        ("lr: !!bool maybe", "cannot read the settings"),
        ("lr: !!int ''", "cannot read the settings"),
        ("lr: !!timestamp abc", "cannot read the settings"),
        ("data: {path: {x: 1}}", "'data' holds settings too deep inside"),
        ("data: {path: [[x]]}", "'data' holds settings too deep inside"),
        ("lr: 0.1\nlr: 0.2", r"cannot read the settings \(lr is there twice\)"),
        ("model: {}\nlr: 0.2\nmodel: {}", r"\(model is there twice\)"),
        ("data: {split_seed: 1, split-seed: 2}", r"\(split-seed is there twice\)"),
        ("data: {split_seed: 1}\ndata.split_seed: 2", r"\(data.split-seed is there twice\)"),
        (
            "".join(f"a{n}: &a{n} {'{'}p: *a{n - 1}, q: *a{n - 1}{'}'}\n" for n in range(1, 99)).replace("*a0", "1"),
            "'a2' holds",
        ),
        ("!!python/object/apply:os.getcwd []", "cannot read the settings"),
    ],
)
def test_a_broken_file_gets_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        read_flags(tmp_path / "config.yaml")


def test_what_looks_like_a_number_stays_as_it_is_written(tmp_path: Path) -> None:
    """YAML would make 8 of 010, 750 of 12:30 and 1.5 of 1.50."""
    text = "name: 010\nseed: 010\nlr: 1e-2\ndata: {x: 12:30, y: 1.50, groups: 2024-01-01}\ncompile: no\n"
    (tmp_path / "config.yaml").write_text(text)
    settings = parse(Settings, read_flags(tmp_path / "config.yaml"))
    assert (settings.name, settings.seed, settings.lr, settings.compile) == ("010", 10, 0.01, False)
    data = settings.data
    assert (data.x, data.y, data.groups) == ("12:30", "1.50", "2024-01-01")


def test_a_resumed_run_may_change_how_long_and_where_but_not_what(tmp_path: Path) -> None:
    began = to_yaml(Settings())
    check_changes(began, Settings(epochs=99, patience=0, device="cuda", runs_dir=tmp_path), tmp_path)
    with pytest.raises(RefusedError, match=r"the run began with --batch-size=None --lr=.*, not --batch-size=8 --lr="):
        check_changes(began, Settings(lr=0.5, batch_size=8), tmp_path)
    with pytest.raises(RefusedError, match=r"--deterministic=False, not --deterministic=True"):
        check_changes(began, Settings(deterministic=True), tmp_path)


def test_nothing_else_may_change() -> None:
    may = {"runs-dir", "epochs", "patience", "checkpoint-every", "device", "cuda-graph", "data.path"}
    saved = dict(flatten(yaml.safe_load(to_yaml(Settings()))))
    for name in saved:
        before = yaml.safe_dump({**saved, name: "another"})
        with nullcontext() if name in may else pytest.raises(RefusedError, match=f"began with --{name}=another, not "):
            check_changes(before, Settings(), Path("run"))


def test_a_name_may_be_flat_already() -> None:
    once = dict(flatten({"task": {"_lam": 0.5, "in_": 1, "two_words": 2}}))
    assert [*once] == ["task._lam", "task.in_", "task.two-words"] and dict(flatten(once)) == once


def test_a_setting_that_was_added_since_does_not_stop_a_resume(tmp_path: Path) -> None:
    """It is named with its value, whatever that is; what the run had keeps its value, however it is written."""
    (tmp_path / "config.yaml").write_text("lr: 1e-3\ndata:\n  x: x\n")
    saved = saved_settings(tmp_path / "config.yaml", parse(Settings, read_flags(tmp_path / "config.yaml")))
    added = check_changes(saved, Settings(lr=1e-3, weight_decay=0.5), tmp_path)
    assert "--weight-decay=0.5" in added and not any(flag.startswith(("--lr=", "--data.x=")) for flag in added)
    with pytest.raises(RefusedError, match=r"the run began with --lr=0.001, not --lr=0.1"):
        check_changes(saved, Settings(lr=0.1), tmp_path)


def test_a_setting_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"the run began with --model.colour=red, which is gone; .*; go back to the"):
        check_changes("model:\n  colour: red\n", Settings(), tmp_path)
