"""Whatever a repository's files hold, they give a template or an error that says why not."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from infra.planning import HubError, find_chat_template


@dataclass(frozen=True)
class Files:
    contents: dict[str, bytes]
    sha: str | None = None

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.contents)

    def read(self, name: str) -> bytes:
        return self.contents[name]


_KEYS = st.sampled_from(
    [
        "chat_template", "eos_token", "bos_token", "pad_token", "eos_token_id", "bos_token_id", "added_tokens_decoder",
        "additional_special_tokens", "extra_special_tokens", "added_tokens", "model", "vocab", "content", "id", "name",
        "template", "default", "text_config", "1", "\u00b2", "-1",
    ]
)  # fmt: skip
_SCALARS = st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | st.text(max_size=3)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)
_JSON = st.dictionaries(_KEYS, _VALUES, max_size=5).map(lambda value: json.dumps(value).encode())
_NAMES = st.sampled_from(
    [
        "tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "config.json", "tokenizer.json",
        "chat_template.json", "processor_config.json", "chat_template.jinja", "additional_chat_templates/a.jinja",
    ]
)  # fmt: skip


@given(st.dictionaries(_NAMES, _JSON | st.binary(max_size=4), max_size=9))
def test_any_contents_give_a_template_or_a_reason(contents: dict[str, bytes]) -> None:
    try:
        found = find_chat_template(Files(contents), "owner/model")
    except HubError:
        return
    assert isinstance(found.template, str)
    assert all(isinstance(text, str) and text for text in found.tokens.ends)
    assert len(set(found.tokens.ends)) == len(found.tokens.ends)
    assert found.tokens.eos == next(iter(found.tokens.ends), None)
    assert all(isinstance(text, str) for text in found.named.values())
