import pytest

from tunewright.grading.templates import Sample, TemplateError, problems_of, render

ITEM = {"answer": "yes", "deep": {"list": [{"x": 1}, "two"]}, "a b": None, "0": "zero"}
SPACES = {"item": ITEM, "sample": Sample('{"value": [1.5]}').variables()}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("no variable", "no variable"),
        ("{{item.answer}}!", "yes!"),
        ("{{ item.answer }}{{item.answer}}", "yesyes"),
        ("{{item.deep.list[0].x}}", "1"),
        ("{{item.deep.list[-1]}}", "two"),
        ("{{item.deep.list.1}}", "two"),
        ('{{item["a b"]}}', "null"),
        ("{{item['0']}}", "zero"),
        ("{{item.deep}}", '{"list": [{"x": 1}, "two"]}'),
        ("{{sample.output_text}}", '{"value": [1.5]}'),
        ("{{sample.output_json.value[0]}}", "1.5"),
        ("{{sample.output_tools}}", "[]"),
        ("{{sample.choices[0].message.role}}", "assistant"),
        ("{single}", "{single}"),
    ],
)
def test_a_variable_is_put_in_its_place(template: str, text: str) -> None:
    assert render(template, SPACES) == text
    assert list(problems_of(template)) == []


@pytest.mark.parametrize(
    "template",
    [
        "{{item}}",
        "{{other.x}}",
        "{{item.}}",
        "{{item.x!y[}}",
        "{{}}",
        "{{item_x}}",
        "{{sample.nix}}",
    ],
)
def test_a_template_that_cannot_be_read_is_told_beforehand(template: str) -> None:
    assert len(list(problems_of(template))) == 1
    with pytest.raises(TemplateError):
        render(template, SPACES)


def test_what_a_variable_holds_is_no_template() -> None:
    spaces = {"item": {"a": "{{item.secret}}", "secret": "s"}, "sample": {}}
    assert render("{{item.a}}", spaces) == "{{item.secret}}"


def test_a_missing_variable_and_an_answer_that_is_no_json_are_told_apart() -> None:
    spaces = {"item": {}, "sample": Sample("no json").variables()}
    with pytest.raises(TemplateError, match=r"there is no 'x'") as missing:
        render("{{item.x.y}}", spaces)
    with pytest.raises(TemplateError) as unreadable:
        render("{{sample.output_json.x}}", spaces)
    assert (missing.value.of_sample, unreadable.value.of_sample) == (False, True)


def test_tool_calls_of_an_answer_are_seen_in_both_places() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    spaces = {"item": {}, "sample": Sample("", (call,)).variables()}
    for path in ("sample.output_tools[0]", "sample.choices[0].message.tool_calls[0]"):
        assert render(f"{{{{{path}.function.name}}}}", spaces) == "f"


def test_a_template_does_not_become_endless() -> None:
    spaces = {"item": {"a": "x" * 1_000_000}, "sample": {}}
    with pytest.raises(TemplateError, match="longer than"):
        render("{{item.a}}" * 5, spaces)
