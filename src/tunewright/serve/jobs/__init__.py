"""Jobs, from the request to the run, and the worker that trains them."""
