"""The options of a model server's command line, read the way the servers read them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.planning.servers import Server
from infra.planning.shell_words import Word

_SWITCH = re.compile(
    r"--(?:no|enable|disable|use|skip)-(?!access-log-for-endpoints).*|--(?:trust-remote-code|enforce-eager|headless"
    r"|async-scheduling|calculate-kv-scales|return-tokens-as-token-ids|fully-sharded-loras|interleave-mm-strings"
    r"|exclude-tools-when-tool-choice-none|language-model-only|data-parallel-(?:hybrid|external)-lb|allow-credentials"
    r"|trust-request-chat-template|log-error-stack|tokens-only|eager-mode|allow-terminate-by-client|ssl)"
)
"""Options without a value, of the servers whose model has no option name."""
_OFF = ("", "0", "false", "off", "disabled")
_MANY_WORDS = re.compile(r"\$(?:\{[A-Za-z_0-9]*\[?)?[@*]")
"""`$@` and `${NAME[@]}`: any number of words, so also options."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of one command."""

    values: tuple[tuple[str, Word], ...]
    """Each option with its values, in order: a list has several entries."""
    arguments: tuple[Word, ...]
    """The words that belong to no option."""
    names: frozenset[str]
    """All options, also those without a value."""
    unread: tuple[str, ...]
    """Words that can be any options, and files with options, as they are written."""

    def last(self, names: Sequence[str]) -> Word | None:
        """Return the value of an option that has any of these names. The last one counts."""
        return next((value for name, value in reversed(self.values) if name in names), None)

    def each(self, names: Sequence[str]) -> list[Word]:
        """Return all values of an option."""
        return [value for name, value in self.values if name in names]


def read_options(server: Server, words: Sequence[Word]) -> Options:
    """Return the options of a server's command. `--a_b`, `--a-b=value` and `--a-b value` mean the same."""
    values: list[tuple[str, Word]] = []
    arguments: list[Word] = []
    unread: list[str] = []
    names: set[str] = set()
    option = ""
    for word in words:
        if word.text.startswith("-") and not re.fullmatch(r"-[0-9.]+|-", word.text):
            name, equals, value = word.text.partition("=")
            option = _normal(name)
            names.add(option)
            if equals:
                values.append((option, Word(value, word.known)))
                option = ""
            elif _SWITCH.fullmatch(option):
                option = ""
        elif option:
            values.append((option, word))
            option = option if option in server.lists else ""
        elif _MANY_WORDS.search(word.text) and not word.known:
            unread.append(word.text)
        else:
            arguments.append(word)
            is_model = server.model_first and len(arguments) == 1
            if not word.known and not is_model:
                unread.append(word.text)
    unread += [f"{name} {value.text}" for name, value in values if name in server.files]
    return Options(values=tuple(values), arguments=tuple(arguments), names=frozenset(names), unread=tuple(unread))


def writes_text(server: Server, options: Options, environment: Mapping[str, str | None]) -> bool:
    """Return whether a server with these options writes text, or answers with embeddings or scores only."""
    for option, values in server.pooling.items():
        word = options.last((option,))
        if option in options.names and (not values or (word is not None and word.text in values)):
            return False
    set_to = (environment.get(name) for name in server.pooling_variables)
    return server.generates and not any(value is not None and value.lower() not in _OFF for value in set_to)


def _normal(name: str) -> str:
    return name.replace("_", "-") if name.startswith("--") else name
