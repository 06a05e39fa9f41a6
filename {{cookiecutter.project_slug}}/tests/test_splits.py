"""Who is in train, val and test: nobody twice, every class in each, groups together, time in order."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from {{ cookiecutter.__package }}.data_config import DataSettings
from {{ cookiecutter.__package }}.errors import ConfigError, DataError
from {{ cookiecutter.__package }}.splits import Split, cut

NAMES = ["train", "val", "test"]


def samples(count: int, groups: np.ndarray | None = None, classes: int = 3) -> Split:
    """Samples that are numbered, so that one sees where they went."""
    return Split(np.arange(count)[:, None], np.arange(count) % classes, groups)


def positions(splits: dict[str, Split]) -> list[list[int]]:
    return [splits[name].x[:, 0].tolist() for name in splits]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [10, 97, 1000])
def test_every_sample_is_in_one_split_and_every_class_in_each(count: int, seed: int) -> None:
    whole = samples(count)
    splits = cut(whole, NAMES, DataSettings(split_seed=seed), whole.y)
    train, val, test = positions(splits)
    assert [train, val, test] == [sorted(part) for part in (train, val, test)]  # they lie as in the file
    assert sorted(train + val + test) == list(range(count))
    assert len(val) == len(test) == round(0.15 * count)
    if count > 50:
        shares = [np.bincount(split.y) / len(split) for split in splits.values()]
        assert np.ptp(shares, axis=0).max() < 0.1


def test_the_shares_of_validation_and_test_are_settings() -> None:
    for split in ("random", "ordered"):
        settings = DataSettings(val_share=0.05, test_share=0.2, split=split)  # type: ignore[arg-type]
        assert [len(part) for part in positions(cut(samples(100), NAMES, settings, None))] == [75, 5, 20]
        assert [len(part) for part in positions(cut(samples(100), NAMES[:2], settings, None))] == [95, 5]
    for val, test, most in (0, 0.15, "1"), (0.5, 0.5, "0.5"), (0.15, 9, "0.85"):
        with pytest.raises(ConfigError, match=rf"-share is [\d.]+; in the settings; .* above 0 and below {most}$"):
            DataSettings(val_share=val, test_share=test)


def test_a_class_of_one_sample_is_trained() -> None:
    whole = Split(np.arange(100)[:, None], (np.arange(100) == 50).astype(int))
    for seed in range(20):
        assert cut(whole, NAMES, DataSettings(split_seed=seed), whole.y)["train"].y.sum() == 1


def test_the_split_seed_alone_decides() -> None:
    first, again, other = (
        positions(cut(samples(50), NAMES, DataSettings(split_seed=seed), None)) for seed in (0, 0, 1)
    )
    assert first == again != other


def test_ordered_splits_keep_the_last_samples_for_the_test() -> None:
    settings = DataSettings(split="ordered")
    assert positions(cut(samples(20), NAMES, settings, None)) == [
        list(range(14)), [14, 15, 16], [17, 18, 19],
    ]  # fmt: skip
    assert positions(cut(samples(20), NAMES[:2], settings, None)) == [list(range(17)), [17, 18, 19]]


@pytest.mark.parametrize("stratified", [True, False])
@pytest.mark.parametrize("count", [3, 10, 40])
@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_never_in_two_splits(seed: int, count: int, stratified: bool) -> None:
    generator = np.random.default_rng(seed)
    names = np.array([f"patient {n}" for n in range(count)])
    groups = np.concatenate([names, generator.choice(names, 20 * count)])
    whole = samples(len(groups), groups)
    splits = cut(whole, NAMES, DataSettings(split_seed=seed), whole.y if stratified else None)
    parts = [set(split.groups.tolist()) for split in splits.values() if split.groups is not None]
    assert len(set.union(*parts)) == sum(map(len, parts)) == count and all(parts)
    assert sorted(itertools.chain(*positions(splits))) == list(range(len(groups)))
    if count == 40:
        assert [len(split) / len(whole) for split in splits.values()] == pytest.approx([0.7, 0.15, 0.15], abs=0.05)


def test_groups_keep_the_shares_of_the_classes() -> None:
    """Each group has one class, as patients have a diagnosis; a third of the groups is ill."""
    groups = np.repeat(np.arange(60), 5)
    ill = (groups % 3 == 0).astype(int)
    splits = cut(Split(np.zeros((300, 1)), ill, groups), NAMES, DataSettings(), ill)
    assert [split.y.mean() for split in splits.values()] == pytest.approx([1 / 3] * 3, abs=0.07)


@pytest.mark.parametrize("seed", range(20))
def test_a_class_of_one_group_is_trained(seed: int) -> None:
    groups = np.repeat(np.arange(30), 5)
    rare = (groups == 7).astype(int)
    splits = cut(Split(np.zeros((150, 1)), rare, groups), NAMES, DataSettings(split_seed=seed), rare)
    assert splits["train"].y.sum() == 5 and all(len(split) >= 15 for split in splits.values())


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_group_goes_where_most_is_wanted(seed: int) -> None:
    groups = np.repeat([0, 1, 2], [20, 60, 20])
    splits = cut(samples(100, groups), NAMES, DataSettings(split_seed=seed), None)
    assert [len(split) for split in splits.values()] == [60, 20, 20]


@pytest.mark.parametrize("each", [2, 3, 5])
def test_small_classes_are_spread_at_random(each: int) -> None:
    """Val and test must not get the classes in order: first and last classes would be in different splits."""
    whole = samples(500 * each, classes=500)
    val = [set(cut(whole, NAMES, DataSettings(split_seed=seed), whole.y)["val"].y.tolist()) for seed in (0, 1)]
    assert val[0] != val[1] and max(val[0]) > 400 and min(val[0]) < 100


def test_order_and_groups_exclude_each_other() -> None:
    settings = DataSettings(split="ordered")
    with pytest.raises(ConfigError, match=r"would cut through the groups; in 'groups' of .*; leave it out, or ignore"):
        cut(samples(20, np.arange(20)), NAMES, settings, None)
    assert replace(settings, groups="").groups == ""


@pytest.mark.parametrize(
    ("whole", "sentence"),
    [
        (samples(2), "2 samples are too few to cut val and test from"),
        (samples(30, np.arange(30) % 2), r"2 groups \(train needs each class\) are too few to cut val and test from"),
        (Split(np.broadcast_to(np.uint8(0), (9, 2**50)), np.arange(9)), "needs 9437184.0 GiB .*; for the splits of"),
    ],
)
def test_what_cannot_be_split_gets_one_sentence(whole: Split, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        cut(whole, NAMES, DataSettings(), whole.y)
