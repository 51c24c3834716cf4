"""Chat templates of well-known families, and by hand what is to be learned under each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiny_tokenizers import tiny_tokenizer

from tunewright.backends.chat_template import ChatTemplate, set_template

FOLDER = Path(__file__).with_name("chat_templates")
IM = ("<|im_start|>", "<|im_end|>")

HELLO = {"role": "user", "content": "Hello there"}
HELP = {"role": "assistant", "content": "Hi! How can I help?"}
JOKE = {"role": "user", "content": "Tell me a joke"}
NO = {"role": "assistant", "content": "No, I will not."}
TURNS = [HELLO, HELP, JOKE, NO]
UNWEIGHTED = [HELLO, {**HELP, "weight": 0}, JOKE, NO]

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALL = {
    "role": "assistant",
    "tool_calls": [
        {
            "id": "abcdefghi",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
        }
    ],
}
CALLED = [
    {"role": "user", "content": "How is the weather in Oslo?"},
    CALL,
    {"role": "tool", "content": "22", "tool_call_id": "abcdefghi"},
    {"role": "assistant", "content": "It is 22 degrees."},
]


@dataclass(frozen=True)
class Family:
    """A template with the tokens that it needs.

    Args:
        help, no: what is learned of the two answers of TURNS; `help` is None where the template
            writes an answer in another way once others follow.
        called: what is learned of CALLED; None where the template knows no tools.
        stop: what ends an answer.
    """

    name: str
    help: str | None
    no: str
    stop: str
    called: tuple[str, ...] | None = None
    tokens: tuple[str, ...] = ()
    bos: str | None = None
    eos: str = "</s>"

    def tokenizer(self, kind: str = "trimmed_bytes") -> Any:
        made = tiny_tokenizer(kind, tokens=self.tokens, bos=self.bos, eos=self.eos)
        file = "plain" if self.name == "plain" else str(FOLDER / f"{self.name}.jinja")
        set_template(made, file)
        return made

    def template(self, kind: str = "trimmed_bytes") -> ChatTemplate:
        return ChatTemplate(self.tokenizer(kind))


def im_family(name: str, **truth: Any) -> Family:
    truth = {"help": "Hi! How can I help?<|im_end|>", "no": "No, I will not.<|im_end|>"} | truth
    return Family(name, stop="<|im_end|>", tokens=IM, eos="<|im_end|>", **truth)


CALL_LINES = (
    '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call><|im_end|>'
)

FAMILIES = [
    im_family("chatml"),
    im_family("chatml_marked"),
    im_family("hermes_tools", called=(CALL_LINES, "It is 22 degrees.<|im_end|>")),
    im_family(
        "qwen3",
        help=None,
        no="<think>\n\n</think>\n\nNo, I will not.<|im_end|>",
        called=("<think>\n\n</think>\n\nIt is 22 degrees.<|im_end|>",),
    ),
    Family("llama2", " Hi! How can I help? </s>", " No, I will not. </s>", "</s>", bos="<s>"),
    Family(
        "llama3",
        "Hi! How can I help?<|eot_id|>",
        "No, I will not.<|eot_id|>",
        "<|eot_id|>",
        tokens=("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        bos="<|begin_of_text|>",
        eos="<|end_of_text|>",
    ),
    Family("mistral1", "Hi! How can I help?</s>", "No, I will not.</s>", "</s>", bos="<s>"),
    Family(
        "mistral3",
        " Hi! How can I help?</s>",
        " No, I will not.</s>",
        "</s>",
        called=(
            '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Oslo"}, "id": "abcdefghi"}]</s>',
            " It is 22 degrees.</s>",
        ),
        tokens=("[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
        bos="<s>",
    ),
    Family(
        "gemma",
        "Hi! How can I help?<end_of_turn>",
        "No, I will not.<end_of_turn>",
        "<end_of_turn>",
        tokens=("<start_of_turn>", "<end_of_turn>"),
        bos="<bos>",
        eos="<eos>",
    ),
    Family("zephyr", "Hi! How can I help?</s>", "No, I will not.</s>", "</s>"),
    Family(
        "phi3",
        "Hi! How can I help?<|end|>",
        "No, I will not.<|end|>",
        "<|end|>",
        tokens=("<|user|>", "<|assistant|>", "<|system|>", "<|end|>"),
        eos="<|endoftext|>",
    ),
    Family("vicuna", " Hi! How can I help?</s>", " No, I will not.</s>", "</s>"),
    Family(
        "plain",
        " Hi! How can I help?</s>",
        " No, I will not.</s>",
        "</s>",
        called=(
            ' Call: {"name": "weather", "arguments": {"city": "Oslo"}}</s>',
            " It is 22 degrees.</s>",
        ),
    ),
]
BY_NAME = {family.name: family for family in FAMILIES}
