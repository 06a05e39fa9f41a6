"""Early stopping stops exactly when it should (lesson 4 of the notes)."""

import math

import pytest

from {{ cookiecutter.__package }}.early_stopping import EarlyStopping

LOSS = {"monitor": "val_loss", "maximize": {"loss": False}}


def epochs_until_stop(values: list[float], *, patience: int, maximize: bool = False) -> int | None:
    stopping = EarlyStopping("val_loss", {"loss": maximize}, patience=patience)
    for epoch, value in enumerate(values, start=1):
        stopping.update(value, epoch)
        if stopping.should_stop:
            return epoch
    return None


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_stops_after_exactly_patience_since_best(patience: int) -> None:
    assert epochs_until_stop([1.0, 0.5, *[0.6] * 10], patience=patience) == 2 + patience


def test_zero_never_stops() -> None:
    assert epochs_until_stop([1.0] * 100, patience=0) is None
    told = ["patience" in str(EarlyStopping(**LOSS, patience=patience)) for patience in (3, 0)]
    assert told == [True, False]


def test_an_equal_value_is_no_improvement() -> None:
    assert epochs_until_stop([1.0, 1.0, 1.0], patience=2) == 3


def test_nan_never_wins() -> None:
    stopping = EarlyStopping(**LOSS, patience=3)
    assert not stopping.update(math.nan, 1)
    assert stopping.update(5.0, 2)
    assert not stopping.update(math.nan, 3)
    assert (stopping.best, stopping.best_epoch, stopping.since_best) == (5.0, 2, 1)


def test_a_metric_may_be_maximized() -> None:
    assert epochs_until_stop([0.1, 0.2, 0.3, 0.3, 0.2], patience=2, maximize=True) == 5


def test_its_state_survives_a_checkpoint() -> None:
    stopping, resumed = (EarlyStopping(**LOSS, patience=2) for _ in range(2))
    stopping.update(1.0, 1)
    stopping.update(2.0, 2)
    resumed.load_state_dict(stopping.state_dict())
    resumed.update(3.0, 3)
    assert resumed.should_stop and resumed.best_epoch == 1
