"""What `augment` becomes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tunewright.errors import RecipeError
from tunewright.recipe.augment import CHANGES, Augment
from tunewright.recipe.defaults import with_choices
from tunewright.recipe.load import build_recipe
from tunewright.recipe.views import USUAL, choose_views, refuse_idle_mixing


def chosen(reads: Any = "text", **content: Any) -> Augment:
    recipe = build_recipe(content)
    return with_choices(recipe, choose_views(recipe, reads)).augment


def test_rows_are_shown_as_they_are_unless_it_is_asked_for() -> None:
    assert chosen() == Augment(methods="none", views=None, strength=None)
    assert chosen("chat") == chosen()
    assert chosen(backend="keras") == chosen()


def test_a_word_alone_or_a_list_is_the_methods() -> None:
    assert chosen(augment="usual") == chosen(augment={"methods": "usual"})
    assert chosen(augment=["swap"]).methods == ("swap",)
    assert chosen(augment="none") == chosen()


@pytest.mark.parametrize("reads", CHANGES)
def test_usual_ways_are_for_such_rows(reads: Any) -> None:
    found = chosen(reads, augment="auto")
    assert found.methods == USUAL[reads]
    assert (found.views, found.strength) == (4, {"text": 0.1, "image": 0.3}[reads])
    asked = chosen(reads, augment={"methods": "usual", "views": 2, "strength": 0.5})
    assert (asked.views, asked.strength) == (2, 0.5)


@pytest.mark.parametrize(
    ("reads", "content", "told"),
    [
        ("text", {"augment": ["crop"]}, "crop, which is not for texts"),
        ("image", {"augment": ["flip", "swap"]}, "swap, which is not for images"),
        ("chat", {"augment": "auto"}, "no texts or pictures"),
        ("preference", {"augment": {"mix_up": 0.2}}, "no texts or pictures"),
    ],
)
def test_what_cannot_be_granted_is_refused(reads: Any, content: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        choose_views(build_recipe(content), reads)


@pytest.mark.parametrize(
    ("augment", "told"),
    [
        ({"views": 3}, "methods is none"),
        ({"strength": 0.2}, "methods is none"),
        ({"methods": []}, "empty list"),
        ({"methods": "usual", "views": None}, "views is null"),
        ({"methods": "usual", "views": 1}, "greater than or equal to 2"),
        ({"methods": ["translate"]}, "delete"),
    ],
)
def test_a_section_that_contradicts_itself_is_refused(augment: Any, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        build_recipe({"augment": augment})


def test_texts_are_mixed_only_where_the_head_alone_learns_by_steps() -> None:
    mixing = Augment(mix_up=0.3)
    with pytest.raises(RecipeError, match="no phase does that"):
        refuse_idle_mixing(mixing, "text", [False, False])
    refuse_idle_mixing(mixing, "text", [True, False])
    refuse_idle_mixing(mixing, "image", [False])
    refuse_idle_mixing(Augment(), "text", [False])
