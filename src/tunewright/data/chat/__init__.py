"""Rows without labels: conversations, plain texts, and prompts with a preferred and another answer."""
