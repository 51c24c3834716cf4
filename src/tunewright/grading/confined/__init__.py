"""Somebody else's Python, run where it can reach nothing: what `grade(sample, item)` returns.

`launch` starts a process and watches its time and its answer. `child` is that process: it shuts
itself in (`mounts`, `landlock`, `limits`, `seccomp`) before it reads the source.
"""
