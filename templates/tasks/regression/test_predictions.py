"""What comes out of a training, by the real commands, is what this task promises."""

import json
from pathlib import Path

import numpy as np
import pytest

from .conftest import learn, predict
from .example import bundled


def test_predictions_and_scores_are_in_the_units_of_the_file(tmp_path: Path) -> None:
    """The same targets in thousandths and far from zero: the same model, and everything reported follows."""
    data = bundled()
    y = data["y"].astype(np.float64)
    runs = [
        learn(tmp_path, "--epochs=5", f"--name={name}", x=data["x"], y=targets)
        for name, targets in (("plain", y), ("scaled", 1e3 * y + 1e6))
    ]
    plain, scaled = (np.load(predict(run, tmp_path / f"{run.parent.name}.npz"))["prediction"] for run in runs)
    assert plain.shape == (180,) and np.allclose(1e3 * plain + 1e6, scaled, rtol=0, atol=1)
    first, second = (json.loads((run / "evaluation.json").read_text()) for run in runs)
    assert second["mae"] == pytest.approx(1e3 * first["mae"], rel=1e-3)
    assert second["rmse"] == pytest.approx(1e3 * first["rmse"], rel=1e-3)
    assert second["r2"] == pytest.approx(first["r2"], abs=1e-3) and second["loss"] == pytest.approx(
        first["loss"], rel=1e-3
    )


def test_several_numbers_per_sample_get_a_column_each(tmp_path: Path) -> None:
    data = bundled()
    y = np.stack([data["y"], -5 * data["y"]], axis=1)
    run = learn(tmp_path, "--epochs=2", x=data["x"], y=y)
    lines = predict(run, tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "prediction_0,prediction_1,split" and len(lines) == 181
    scores = json.loads((run / "evaluation.json").read_text())
    assert scores["mae"] == pytest.approx((scores["mae/0"] + scores["mae/1"]) / 2)


@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_the_other_losses_learn_too(tmp_path: Path, loss: str) -> None:
    run = learn(tmp_path, "--epochs=5", f"--task.loss={loss}", **bundled())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["train_loss"] < lines[0]["train_loss"]
