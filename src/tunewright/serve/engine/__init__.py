"""What answers requests: models that are opened on demand, and one thread that runs them."""
