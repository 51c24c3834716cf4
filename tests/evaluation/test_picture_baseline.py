"""The baseline of pictures learns colours, answers for every class, and can be fitted again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plain_rows import plain_rows
from tiny_pictures import COLOURS, write_picture
from tunewright.evaluation import picture_baseline
from tunewright.evaluation.baselines import FittedBaseline, fit_baselines
from tunewright.evaluation.metrics import score


def pictures(folder: Path, count: int, first: int = 0) -> tuple[list[str], np.ndarray]:
    labels = np.arange(count) % 3
    paths = [
        write_picture(folder / f"{first + row}.png", list(COLOURS)[label], first + row)
        for row, label in enumerate(labels)
    ]
    return [str(path) for path in paths], labels


def fitted(paths: list[str], labels: np.ndarray, num_classes: int = 3) -> list[FittedBaseline]:
    return fit_baselines(plain_rows(paths, "image"), labels, num_classes, seed=0)


def test_colours_beat_the_majority(tmp_path: Path) -> None:
    majority, colours = fitted(*pictures(tmp_path, 45))
    unseen, labels = pictures(tmp_path, 30, first=100)
    assert (majority.name, colours.name, colours.rows) == ("majority", "colours", 45)
    assert score("accuracy", colours.answers(plain_rows(unseen, "image")), labels) > 0.95
    assert score("accuracy", majority.answers(plain_rows(unseen, "image")), labels) < 0.5


def test_colours_answer_for_classes_that_training_never_showed(tmp_path: Path) -> None:
    paths, labels = pictures(tmp_path, 30)
    found = fitted(paths, labels * 2, 6)[1].answers(plain_rows(paths[:4], "image"))
    assert found.shape == (4, 6)
    assert (found > 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_one_class_and_pictures_that_are_all_alike_still_get_answers(tmp_path: Path) -> None:
    paths, labels = pictures(tmp_path, 6)
    alone = fitted(paths, labels * 0, 2)[1].answers(plain_rows(paths, "image"))
    assert (alone.argmax(axis=1) == 0).all()
    np.testing.assert_allclose(alone.sum(axis=1), 1)
    alike = fitted([paths[0]] * 30, np.arange(30) % 2, 2)[1].answers(plain_rows(paths[:1], "image"))
    np.testing.assert_allclose(alike, [[0.5, 0.5]], atol=0.01)


def test_fitting_again_gives_the_same_and_parts_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, labels = pictures(tmp_path, 30)
    whole = fitted(paths, labels)[1].answers(plain_rows(paths, "image"))
    monkeypatch.setattr(picture_baseline, "FEW_PICTURES", 7)
    np.testing.assert_allclose(
        fitted(paths, labels)[1].answers(plain_rows(paths, "image")), whole, rtol=1e-6
    )


def test_of_many_pictures_some_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, labels = pictures(tmp_path, 30)
    monkeypatch.setattr(picture_baseline, "MOST_PICTURES", 12)
    assert fitted(paths, labels)[1].rows == 12


def test_features_are_where_light_falls_and_how_much_of_each_colour(tmp_path: Path) -> None:
    from PIL import Image

    half = Image.new("RGB", (64, 64))
    half.paste((255, 255, 255), (32, 0, 64, 64))
    half.save(tmp_path / "half.png")
    (found,) = picture_baseline.colour_features([str(tmp_path / "half.png")])
    tiles, colours = found[:192].reshape(8, 8, 3), found[192:]
    assert tiles[:, :4].max() == 0
    assert tiles[:, 4:].min() == 1
    assert (colours[0], colours[63], colours.sum()) == (0.5, 0.5, 1)
