"""PyTorch with Hugging Face Transformers."""

from tunewright.cores import wait_briefly

wait_briefly()
