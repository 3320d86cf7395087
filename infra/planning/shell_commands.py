"""The programs that a container's command line starts, read the way a shell reads it.

It follows assignments, `export`, defaults (`${NAME:-word}`), `&&`, `;` and `&`, and looks through programs that start
another one (`exec`, `env`, `sh -c`). What it cannot know stays as it is written, and is marked: what a program prints,
a variable that only the machine sets, a variable that is set in one branch of an `if`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infra.planning.program_starters import find_program
from infra.planning.shell_words import DEEPEST, LONGEST, MOST_COMMANDS, Part, Token, Word, tokenize

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=", re.ASCII)
_DECLARATIONS = ("export", "readonly", "declare", "typeset", "local")
_OPENING = ("if", "while", "until", "for", "case", "select")
_CLOSING = ("fi", "done", "esac")
_KEYWORDS = (*_OPENING, *_CLOSING, "then", "else", "elif", "do", "{", "}", "!", "time")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program with its arguments."""

    words: tuple[Word, ...]
    environment: Mapping[str, str | None]
    """The variables that the program sees; `None`: set, but the value is not known."""


def read_commands(arguments: Sequence[str], environment: Mapping[str, str | None]) -> list[Command]:
    """Return the commands of an argument vector, in order. An argument of `sh -c` is a command line of a shell.

    `environment` has the variables that are set when it starts; `None`: set, but the value is not known.
    """
    shell = _Shell(environment, environment, depth=0)
    shell.start([Word(argument) for argument in arguments], {})
    return shell.commands


class _Shell:
    def __init__(self, variables: Mapping[str, str | None], exported: Iterable[str], *, depth: int) -> None:
        self.commands: list[Command] = []
        self._variables = dict(variables)
        self._exported = set(exported)
        self._depth = depth
        self._branches = 0
        self._subshells: list[tuple[int, dict[str, str | None], set[str]]] = []
        self._is_function = False
        self._braces: list[bool] = []

    def run(self, text: str) -> None:
        """Read a command line."""
        words: list[Token] = []
        otherwise = False
        for token in [*tokenize(text), Token(operator=";")]:
            if not token.operator:
                words.append(token)
                continue
            if len(self.commands) < MOST_COMMANDS:
                self._command(words, uncertain=otherwise)
            self._bracket(token.operator, after_a_word=bool(words))
            words = []
            otherwise = token.operator == "||" or (otherwise and token.operator == "&&")

    def _bracket(self, operator: str, *, after_a_word: bool) -> None:
        """Keep the variables of a subshell to it. A bracket after a word begins a function, which may never run."""
        if operator == "(":
            self._is_function = after_a_word
            self._subshells.append((self._branches, dict(self._variables), set(self._exported)))
        elif operator == ")" and self._subshells and self._subshells[-1][0] == self._branches:
            _, self._variables, self._exported = self._subshells.pop()

    def start(self, words: Sequence[Word], extra: Mapping[str, str | None]) -> None:
        """Read the words of one command. `extra` has the variables that are set for it alone."""
        started = find_program(words, extra)
        if started.script is not None:
            self._nested(started.script, started.extra)
            return
        words, extra = started.words, dict(started.extra)
        if words:
            seen = {name: self._variables.get(name) for name in self._exported} | extra
            self.commands.append(Command(words=tuple(words), environment=seen))

    def _nested(self, script: Word, extra: Mapping[str, str | None]) -> None:
        too_much = self._depth >= DEEPEST or len(script.text) > LONGEST
        if not script.known or too_much:
            self.commands.append(Command(words=(Word(script.text, known=False),), environment={}))
            return
        seen = {name: self._variables.get(name) for name in self._exported} | dict(extra)
        shell = _Shell(seen, seen, depth=self._depth + 1)
        shell.commands = self.commands
        shell.run(script.text)

    def _command(self, tokens: Sequence[Token], *, uncertain: bool) -> None:
        words = list(tokens)
        while words and (keyword := _plain(words[0])) in _KEYWORDS:
            words = words[1:]
            self._branches += (keyword in _OPENING) - (keyword in _CLOSING)
            if keyword == "{":
                self._braces.append(self._is_function)
                self._branches += self._is_function
                self._is_function = False
            elif keyword == "}" and self._braces:
                self._branches -= self._braces.pop()
            if keyword in ("for", "select", "case"):
                if words:
                    self._set(_plain(words[0]) or "", None)
                return
        uncertain = uncertain or self._branches > 0
        own: dict[str, str | None] = {}
        while words and (assignment := _assignment(words[0])):
            name, value = assignment[0], self._joined(assignment[1])
            added = self._variables.get(name) if assignment[2] else ""
            own[name] = None if not value.known or added is None else added + value.text
            words = words[1:]
        if not words:
            for name, value in own.items():
                self._set(name, None if uncertain else value)
            return
        if _plain(words[0]) in _DECLARATIONS:
            self._declare(words[1:], export=_plain(words[0]) == "export", uncertain=uncertain)
            return
        expanded = [word for token in words for word in self._words(token.parts)]
        if expanded and expanded[0] in (Word("unset"), Word("read")):
            for word in expanded[1:]:
                self._set(word.text, None)
            return
        self.start(expanded, own)

    def _declare(self, tokens: Sequence[Token], *, export: bool, uncertain: bool) -> None:
        for token in tokens:
            if assignment := _assignment(token):
                value = self._joined(assignment[1])
                self._set(assignment[0], value.text if value.known and not uncertain else None)
                name = assignment[0]
            else:
                name = _plain(token) or ""
                export = export or (name.startswith("-") and "x" in name)
            if export and not name.startswith("-"):
                self._exported.add(name)

    def _set(self, name: str, value: str | None) -> None:
        self._variables[name] = None if value is not None and len(value) > LONGEST else value

    def _joined(self, parts: Sequence[Part]) -> Word:
        """Return the value of an assignment, which a shell does not split."""
        values = [value for part in parts for value, _ in self._values(part)]
        return Word("".join(value.text for value in values), all(value.known for value in values))

    def _words(self, parts: Sequence[Part]) -> list[Word]:
        """Return the words of a word: a variable without quotes can be several, or none."""
        found: list[Word] = []
        text, known, begun = "", True, False
        for value, is_split in (one for part in parts for one in self._values(part)):
            if not is_split or not value.known:
                text, known, begun = text + value.text, known and value.known, True
                continue
            for index, piece in enumerate(value.text.split()):
                if index > 0 or (begun and value.text[:1].isspace()):
                    found.append(Word(text, known))
                    text, known = "", True
                text, begun = text + piece, True
            if begun and value.text[-1:].isspace():
                found.append(Word(text, known))
                text, known, begun = "", True, False
        return [*found, Word(text, known)] if begun else found

    def _values(self, part: Part, *, in_default: bool = False) -> list[tuple[Word, bool]]:
        """Return the value of a part, and whether a shell splits it at spaces. A default can have several parts."""
        if part.kind != "variable":
            return [(Word(part.text, part.kind == "text"), in_default and not part.quoted)]
        is_set, value = part.name in self._variables, self._variables.get(part.name)
        kind = part.operator[-1:]
        if is_set and value is None:
            return [(Word(part.text, known=False), False)]
        missing = not is_set or (value == "" and part.operator.startswith(":"))
        if kind == "+" or (missing and kind in ("-", "=")):
            default = (
                []
                if kind == "+" and missing
                else [one for inner in part.word for one in self._values(inner, in_default=True)]
            )
            if kind == "=":
                known = all(word.known for word, _ in default)
                self._set(part.name, "".join(word.text for word, _ in default) if known else None)
            return default or [(Word(""), not part.quoted)]
        if missing:
            return [(Word(part.text, known=False), False)]
        return [(Word(value or ""), not part.quoted)]


def _plain(token: Token) -> str | None:
    """Return the text of a word without quotes and variables."""
    if any(part.kind != "text" or part.quoted for part in token.parts):
        return None
    return "".join(part.text for part in token.parts)


def _assignment(token: Token) -> tuple[str, tuple[Part, ...], bool] | None:
    """Return the name, the parts of the value, and whether it is added to the old value."""
    head = ""
    for index, part in enumerate(token.parts):
        if part.kind != "text" or part.quoted:
            return None
        head += part.text
        if part.text == "=":
            found = _ASSIGNMENT.fullmatch(head)
            return (found[1], token.parts[index + 1 :], bool(found[2])) if found else None
    return None
