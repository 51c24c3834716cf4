"""A service that speaks the OpenAI fine-tuning API: it trains, and answers for what it trained.

Imported only where a recipe says `backend: openai`, or a model folder names a service.
"""
