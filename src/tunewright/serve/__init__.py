"""The OpenAI fine-tuning API over local runs: an unmodified `openai` client trains here."""
