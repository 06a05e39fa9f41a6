"""What comes out of a training, by the real commands, is what this task promises."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from .conftest import learn, predict
from .example import bundled


def test_predictions_are_a_matrix_of_0_and_1_and_their_probabilities(tmp_path: Path) -> None:
    data = bundled()
    run = learn(tmp_path, "--epochs=8", x=data["x"], y=data["y"].astype(float))
    out = np.load(predict(run, tmp_path / "out.npz"))
    assert out["prediction"].shape == data["y"].shape and set(np.unique(out["prediction"])) <= {0, 1}
    assert np.array_equal(out["prediction"], out["probability"] >= 0.5)
    with predict(run, tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["prediction_3"]) for row in rows] == out["prediction"][:, 3].tolist()
    assert float(rows[7]["probability_0"]) == pytest.approx(out["probability"][7, 0])
    scores = json.loads((run / "evaluation.json").read_text())
    assert {f"average_precision/{label}" for label in range(4)} <= set(scores)


def test_the_threshold_decides_what_is_predicted(tmp_path: Path) -> None:
    run = learn(tmp_path, "--epochs=1", "--task.threshold=0.99", **bundled())
    out = np.load(predict(run, tmp_path / "out.npz"))
    assert np.array_equal(out["prediction"], out["probability"] >= 0.99)
