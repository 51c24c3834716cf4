"""What a grader found: a reward, and which of the known things went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Errors:
    """The fourteen flags of the API; a grader that had an error gives zero."""

    formula_parse_error: bool = False
    sample_parse_error: bool = False
    truncated_observation_error: bool = False
    unresponsive_reward_error: bool = False
    invalid_variable_error: bool = False
    other_error: bool = False
    python_grader_server_error: bool = False
    python_grader_server_error_type: str | None = None
    python_grader_runtime_error: bool = False
    python_grader_runtime_error_details: str | None = None
    model_grader_server_error: bool = False
    model_grader_refusal_error: bool = False
    model_grader_parse_error: bool = False
    model_grader_server_error_details: str | None = None

    @property
    def any(self) -> bool:
        """Whether something went wrong."""
        return self != Errors()

    def and_also(self, other: Errors) -> Errors:
        """What went wrong in either; of details, the first."""
        mine, theirs = asdict(self), asdict(other)
        return Errors(**{key: mine[key] or theirs[key] for key in mine})


@dataclass(frozen=True)
class Usage:
    """Tokens that a judging model read and wrote."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    def and_also(self, other: Usage) -> Usage:
        """The sum."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
        )

    def as_object(self) -> dict[str, int]:
        """As the API shows it."""
        total = self.prompt_tokens + self.completion_tokens
        return asdict(self) | {"total_tokens": total}


@dataclass(frozen=True)
class Grade:
    """One answer's reward.

    Args:
        reward: zero where something went wrong.
        scores: of a formula, the rewards that it was made from, by name.
        usage: by model.
        model: the one that judged.
    """

    reward: float
    errors: Errors = Errors()
    scores: Mapping[str, float] = field(default_factory=dict)
    usage: Mapping[str, Usage] = field(default_factory=dict)
    model: str | None = None

    def as_response(self, name: str, kind: str, *, seconds: float) -> dict[str, Any]:
        """The body of `graders/run`."""
        used = {model: usage.as_object() for model, usage in self.usage.items()}
        total = sum(each["total_tokens"] for each in used.values())
        return {
            "reward": self.reward,
            "metadata": {
                "name": name,
                "type": kind,
                "errors": asdict(self.errors),
                "execution_time": seconds,
                "scores": dict(self.scores),
                "token_usage": total if used else None,
                "sampled_model_name": self.model,
            },
            "sub_rewards": dict(self.scores),
            "model_grader_token_usage_per_model": used,
        }


def failed(**flags: Any) -> Grade:
    """A reward of zero, and why.

    >>> failed(other_error=True).errors.other_error
    True
    """
    return Grade(0.0, replace(Errors(), **flags))
