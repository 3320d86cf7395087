"""Property values to the engine's wire form and back."""

from __future__ import annotations

from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from commands.property_values import (
    UNKNOWN,
    FileValue,
    PropertyValue,
    ResourceReference,
    SecretValue,
    UnknownValue,
    decode,
    encode,
    holds,
    without_secrets_marked,
)

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.text(max_size=8),
    st.just(UNKNOWN),
    st.just(FileValue(archive=True, path="a.zip", hash="h")),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=4), inner, max_size=3),
        st.builds(SecretValue, inner),
        st.builds(ResourceReference, urn=st.just("urn:pulumi:a::b::c::d"), id=st.one_of(st.none(), st.just("i"))),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
def test_what_is_written_is_what_is_read(values: dict[str, PropertyValue]) -> None:
    assert decode(struct_pb2.Struct.FromString(encode(values).SerializeToString())) == values


def test_secrets_and_unknowns_are_found_at_any_depth_and_never_shown() -> None:
    value: dict[str, PropertyValue] = {"a": [{"b": SecretValue("hush")}, SecretValue(UNKNOWN)]}
    assert holds(value, SecretValue)
    assert holds(value, UnknownValue)
    assert not holds({"a": ["b"]}, SecretValue)
    assert "hush" not in repr(value)
    assert without_secrets_marked(value) == {"a": [{"b": "hush"}, UNKNOWN]}


def test_what_is_null_is_left_out() -> None:
    assert decode(encode({"a": None, "b": {"c": None}})) == {"b": {}}
