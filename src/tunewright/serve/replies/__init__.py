"""What is asked of a model, and what is answered."""
