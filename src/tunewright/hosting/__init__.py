"""A run whose training a service does: the same stages, around a job instead of a loop."""
