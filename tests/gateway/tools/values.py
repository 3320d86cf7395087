"""JSON of any shape, with the words of tool requests in it more often than chance would have it."""

from __future__ import annotations

from hypothesis import strategies as st

_words = st.sampled_from(
    [
        *(
            "type",
            "function",
            "name",
            "parameters",
            "description",
            "strict",
            "json_schema",
            "schema",
            "value",
            "f",
            "g",
        ),
        *(
            "properties",
            "required",
            "anyOf",
            "$ref",
            "$defs",
            "#",
            "#/$defs/f",
            "items",
            "object",
            "array",
            "string",
            "format",
        ),
        *("text", "json", "json_object", "regex", "none", "auto", "required", "custom", "allowed_tools", ""),
    ]
)
_scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | _words | st.text(max_size=3)

json_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_words | st.text(max_size=3), inner, max_size=5),
    max_leaves=25,
)

_functions = st.fixed_dictionaries(
    {"name": _words},
    optional={"parameters": json_values, "description": json_values, "strict": json_values},
)
tools = json_values | st.lists(
    json_values | st.fixed_dictionaries({"type": st.just("function"), "function": json_values | _functions}), max_size=3
)
choices = (
    json_values
    | st.sampled_from(["none", "auto", "required"])
    | st.fixed_dictionaries(
        {"type": st.just("function"), "function": json_values | st.fixed_dictionaries({"name": _words})}
    )
)
