"""Checkpoints are written beside the training: what they hold, in which order, and what is said when that fails."""

import numpy as np
import pytest
import torch

from {{ cookiecutter.__package }}.checkpoint import load_checkpoint
from {{ cookiecutter.__package }}.config import Settings
from {{ cookiecutter.__package }}.errors import ConfigError, StorageError
from {{ cookiecutter.__package }}.run import Run
from {{ cookiecutter.__package }}.saver import Interval, Saver


@pytest.mark.parametrize(
    ("text", "due"), [("epoch", []), ("3", [3, 6]), ("100000min", []), ("0min", [1, 2, 3, 4, 5, 6])]
)
def test_a_checkpoint_is_due_after_steps_or_minutes(text: str, due: list[int]) -> None:
    interval = Interval(text)
    assert [step for step in range(1, 7) if interval.is_due(step)] == due


def test_ten_minutes_are_six_hundred_seconds() -> None:
    assert Interval("10min").seconds == 600


def test_the_best_checkpoint_is_written_first(settings: Settings) -> None:
    """A last one must not tell of a best one that is not there yet."""
    with Run.create(settings) as run:
        run.begin()
        run.best.mkdir()  # so that it cannot be written
        saver = Saver(run)
        saver.save({}, best=True)
        with pytest.raises(StorageError, match=r"cannot write .*best.pt"):
            saver.wait()
        assert not run.last.exists()


def test_a_best_checkpoint_that_could_not_be_written_is_written_before_the_next_last_one(settings: Settings) -> None:
    """Which tells of it: without it, a resumed run would be refused, or scored by an older one."""
    with Run.create(settings) as run:
        run.begin()
        run.best.mkdir()
        saver = Saver(run)
        saver.save({"number": 1}, best=True)
        assert isinstance(saver.writing.exception(), StorageError)
        with pytest.raises(StorageError):
            saver.save({"number": 2}, best=False)  # nor can it be written now
        assert isinstance(saver.writing.exception(), StorageError) and not run.last.exists()
        run.best.rmdir()
        with pytest.raises(StorageError):
            saver.save({"number": 3}, best=False)
        saver.wait()
        saver.save({"number": 4}, best=False)
        saver.wait()
        assert [load_checkpoint(path)["number"] for path in (run.best, run.previous, run.last)] == [1, 3, 4]
        run.best.unlink()
        saver.save({"number": 5}, best=False)
        saver.wait()
        assert not run.best.exists()  # it was written: once is enough


def test_what_is_saved_is_the_state_of_that_moment(settings: Settings) -> None:
    with Run.create(settings) as run:
        run.begin()
        saver, weight = Saver(run), torch.zeros(1000)
        for number in (1, 2, 3):
            weight.fill_(number)
            saver.save({"weight": weight}, best=number == 2)
            weight.fill_(-1.0)
        saver.wait()
        found = {path.name: load_checkpoint(path)["weight"][0].item() for path in run.last.parent.iterdir()}
    assert found == {"last.pt": 3.0, "previous.pt": 2.0, "best.pt": 2.0}


def test_a_state_that_could_not_be_read_again_is_refused_when_it_is_saved(settings: Settings) -> None:
    with Run.create(settings) as run:
        run.begin()
        saver = Saver(run)
        saver.save({"score": 0.25}, best=False)
        saver.wait()
        sentence = r"would hold a numpy\.\S+, which could not be read again; in a state of .*; keep tensors"
        for number in (np.float64(0.5), np.int64(3)):
            with pytest.raises(ConfigError, match=sentence):
                saver.save({"scores": [{"of": number}]}, best=False)
        assert load_checkpoint(run.last)["score"] == 0.25


def test_what_has_to_come_before_a_checkpoint_comes_before_it(settings: Settings) -> None:
    with Run.create(settings) as run:
        run.begin()
        there = []
        saver = Saver(run, before=lambda: there.append(run.last.exists()))
        for _ in range(2):
            saver.save({}, best=False)
        saver.wait()
        assert there == [False, True]


def test_what_could_not_be_written_is_an_error_at_the_next_call(settings: Settings) -> None:
    with Run.create(settings) as run:
        saver = Saver(run)  # the folder for its checkpoints is not there yet
        saver.save({}, best=False)
        with pytest.raises(StorageError, match=r"cannot write .* bytes \(No such file or directory\); .*last.pt"):
            saver.wait()
        saver.wait()  # it was said
        saver.save({}, best=False)
        assert isinstance(saver.writing.exception(), StorageError)
        run.last.parent.mkdir()
        with pytest.raises(StorageError):
            saver.save({"number": 2}, best=False)
        saver.wait()
        assert load_checkpoint(run.last)["number"] == 2
