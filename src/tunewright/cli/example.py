"""`tunewright example`"""

from __future__ import annotations


def example_command(name: str = "reviews") -> int:
    """Fetch real example data once, and print where it is.

    Parameters
    ----------
    name
        reviews: sentences of product reviews, positive or negative.
    """
    import sys

    from tunewright.pretrained.example_data import fetch_example

    sys.stdout.write(f"{fetch_example(name)}\n")
    return 0
