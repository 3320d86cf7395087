"""The form in which a template takes messages (docs/templates.md). `shape_trials.py` finds it."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

Empty: TypeAlias = Literal["absent", "null", "text"]

PLAIN: Final = ("user", "system", "assistant")


class Shape(NamedTuple):
    """The form in which a template takes messages. Roles that are in neither `parts` nor `wraps` take texts."""

    keeps_developer: bool
    """The template knows the role `developer`; otherwise the role becomes `system`."""
    parts: frozenset[str]
    """Roles for which the template walks content parts; otherwise they become one text."""
    wraps: frozenset[str]
    """Roles for which the template takes parts only: a text becomes one part."""
    later_system: bool
    """The template prints system messages behind the first message."""
    plain: tuple[str, ...]
    """Roles for which a message of role and text stays as it is."""
    text_arguments: bool
    """The template joins a call's arguments as text; otherwise they become an object."""
    only_objects: bool
    """The template takes no other arguments than an object: it fails on a text, or leaves it out."""
    short_ids: bool
    """The template demands ids of nine letters and digits for calls."""
    empty: Empty
    """The content of an assistant turn that has calls and no text: no key, null, or an empty text."""
