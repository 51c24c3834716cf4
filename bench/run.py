"""`make bench`: everything, one table after the other."""

from __future__ import annotations

from bench import checkpoint_cost, frozen, quality, speed


def main() -> None:
    """Speed first, on a quiet machine; then scores."""
    speed.main()
    print()
    frozen.main()
    print()
    checkpoint_cost.main()
    print()
    quality.main()


if __name__ == "__main__":
    main()
