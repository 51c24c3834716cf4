"""A stand-in for a service that speaks the OpenAI fine-tuning API, in this process, on loopback.

It is written from the API's description. It trains nothing: a job goes through its states, one at
each look, and its model answers as the most similar training row did. What hosted services do
besides is injected by request, see `quirks`.
"""

from openai_service.quirks import Quirk
from openai_service.server import StandIn, serving

__all__ = ["Quirk", "StandIn", "serving"]
