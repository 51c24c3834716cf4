"""`make bench`: everything, one table after the other."""

from __future__ import annotations

from bench import (
    checkpoint_cost,
    label_errors,
    larger,
    prefix_gain,
    prefix_scores,
    probe,
    quality,
    real_data,
    speed,
    staged,
)


def main() -> None:
    """Speed first, on a quiet machine; then scores."""
    tables = (
        *(speed, staged, probe, prefix_gain, checkpoint_cost, larger),
        *(quality, prefix_scores, label_errors, real_data),
    )
    for table in tables:
        print(f"\n{(table.__doc__ or '').splitlines()[0]}\n", flush=True)
        table.main()


if __name__ == "__main__":
    main()
