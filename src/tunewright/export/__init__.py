"""Takes the model away."""
