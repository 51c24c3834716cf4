"""Run folders: where a run lives, its state, its result, and an index over all of them."""
