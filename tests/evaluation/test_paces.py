import pytest

from tunewright.evaluation.shown import pace
from tunewright.train.stopwatch import Stopwatch


@pytest.mark.parametrize(
    ("rows_per_s", "shown"),
    [
        (1234.5, "1,234 rows/s"),
        (12.4, "12 rows/s"),
        (3.14, "3.1 rows/s"),
        (0.94, "56 rows/min"),
        (0.05, "3.0 rows/min"),
        (0.004, "14 rows/h"),
        (0.0001, "0.4 rows/h"),
    ],
)
def test_a_pace_has_digits_to_see_however_slow(rows_per_s: float, shown: str) -> None:
    assert pace(rows_per_s) == shown


def test_the_rate_of_a_slow_training_is_not_rounded_to_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = Stopwatch()
    monkeypatch.setattr(watch, "seconds", lambda: 900.0)
    watch.rows = 3
    assert watch.rows_per_s() == 0.00333
    watch.rows = 1_111_111
    assert watch.rows_per_s() == 1234.6
