"""Fine-tune a pre-trained model on your own data, from a file to a number you can believe."""
