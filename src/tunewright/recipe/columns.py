"""The recipe section data.columns: which column plays which part."""

from __future__ import annotations

from pydantic import Field, model_validator

from tunewright.recipe.section import Auto, Section


class Columns(Section):
    """Which column plays which part."""

    text: str | Auto | None = Field(
        "auto", description="column with the text; null where rows are pictures"
    )
    text_pair: str | Auto | None = Field(
        "auto", description="column with the second text of a pair; null for none"
    )
    image: str | Auto | None = Field(
        "auto",
        description="column with the path of a picture, or the picture itself; null where rows "
        "are texts",
    )
    label: str | Auto | None = Field(
        "auto", description="column with the label; null where rows have none"
    )
    messages: str | Auto | None = Field(
        "auto", description="column with the messages of a conversation"
    )
    system: str | Auto | None = Field("auto", description="column with the system message")
    prompt: str | Auto | None = Field("auto", description="column with what is asked")
    context: str | Auto | None = Field(
        "auto", description="column that is added to what is asked, such as Alpaca's input"
    )
    completion: str | Auto | None = Field("auto", description="column with the answer")
    chosen: str | Auto | None = Field("auto", description="column with the preferred answer")
    rejected: str | Auto | None = Field("auto", description="column with the other answer")
    tools: str | Auto | None = Field("auto", description="column with the tools that may be called")

    @model_validator(mode="after")
    def _one_thing_is_read(self) -> Columns:
        texts = [name for name in (self.text, self.text_pair) if name not in (None, "auto")]
        if self.image not in (None, "auto") and texts:
            raise ValueError("image and text both name a column: rows are pictures or texts")
        read = (self.image, self.text, self.messages, self.prompt, self.chosen)
        if all(name is None for name in read):
            raise ValueError("image and text are both null: nothing would be read")
        return self
