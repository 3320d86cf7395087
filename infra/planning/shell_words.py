"""A shell's command line as tokens: words with quotes, variables and substitutions, and operators.

It reads what POSIX `sh` and bash read. What a program prints (`$(…)`) and what only the machine knows stays as it is
written, and is marked as not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

DEEPEST = 20
"""How deep a default can be inside a default, or a shell inside a shell. What is deeper is not known."""
LONGEST = 131_072
"""The most characters of a value that is known: Linux allows no longer argument."""
MOST_COMMANDS = 1000
"""The most commands of a command line that are read."""
_OPERATOR = re.compile(r"&&|\|\||;;&?|;&|\|&|[;&|()\n]")
_REDIRECTION = re.compile(r"<<<|<<-?|<&|>&|<>|>>|>\||&>>?|[<>]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ENDS_A_WORD = frozenset(" \t\n;&|()<>")


@dataclass(frozen=True)
class Word:
    """A word of a command line."""

    text: str
    """Its value. What is not known is in it as it is written: `$NAME`."""
    known: bool = True


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a word."""

    kind: Literal["text", "variable", "unknown"]
    text: str
    """The text itself, or for a variable and an unknown part what is written."""
    quoted: bool
    name: str = ""
    """The variable."""
    operator: str = ""
    """Of `${NAME:-word}`: `:-`, `-`, `:=`, `=`, `:+`, `+`, `:?`, `?`; empty: only the name."""
    word: tuple[Part, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Token:
    """A word, or an operator that stands between commands."""

    operator: str = ""
    parts: tuple[Part, ...] = ()


def tokenize(text: str, *, depth: int = 0) -> list[Token]:
    """Return the tokens of a command line, without comments, redirections and here-documents. It takes any text."""
    return _Reader(text, depth).tokens()


class _Reader:
    def __init__(self, text: str, depth: int) -> None:
        self._text = text
        self._at: int = 0
        self._depth = depth
        self._documents: list[tuple[str, bool]] = []

    def tokens(self) -> list[Token]:
        found: list[Token] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character in " \t":
                self._at += 1
            elif self._text.startswith("\\\n", self._at):
                self._at += 2
            elif character == "#":
                self._at = self._end_of_line()
            elif redirection := _REDIRECTION.match(self._text, self._at):
                self._redirect(redirection[0])
            elif operator := _OPERATOR.match(self._text, self._at):
                self._at = operator.end()
                if operator[0] == "\n":
                    self._skip_documents()
                found.append(Token(operator=operator[0]))
            else:
                parts = self._word()
                is_descriptor = self._text[self._at : self._at + 1] in ("<", ">") and _is_number(parts)
                if not is_descriptor:
                    found.append(Token(parts=parts))
        return found

    def _redirect(self, operator: str) -> None:
        self._at += len(operator)
        if self._text[self._at : self._at + 1] == "(":  # <(command): a file that only the machine knows
            self._balanced("(", ")")
            return
        while self._text[self._at : self._at + 1] in (" ", "\t"):
            self._at += 1
        target = self._word()
        if operator in ("<<", "<<-"):
            self._documents.append(("".join(part.text for part in target), operator == "<<-"))

    def _skip_documents(self) -> None:
        for end, indented in self._documents:
            while self._at < len(self._text):
                stop = self._end_of_line()
                line = self._text[self._at : stop]
                self._at = stop + 1
                if (line.lstrip("\t") if indented else line) == end:
                    break
        self._documents.clear()

    def _word(self) -> tuple[Part, ...]:
        parts: list[Part] = []
        while self._at < len(self._text) and self._text[self._at] not in _ENDS_A_WORD:
            parts += self._piece(quoted=False)
        return tuple(parts)

    def _piece(self, *, quoted: bool) -> list[Part]:
        character = self._text[self._at]
        if character == "\\":
            return self._escaped(quoted=quoted)
        if character == "'" and not quoted:
            return [self._until("'", self._at + 1)]
        if character == '"' and not quoted:
            return self._double_quoted()
        if character == "`":
            start = self._at
            self._at = self._after("`", start + 1)
            return [Part(kind="unknown", text=self._text[start : self._at], quoted=quoted)]
        if character == "$":
            return [self._dollar(quoted=quoted)]
        self._at += 1
        return [Part(kind="text", text=character, quoted=quoted)]

    def _escaped(self, *, quoted: bool) -> list[Part]:
        following = self._text[self._at + 1 : self._at + 2]
        self._at += 1 + len(following)
        if following == "\n":
            return []
        keeps = not following or (quoted and following not in '$`"\\')
        return [Part(kind="text", text="\\" + following if keeps else following, quoted=True)]

    def _double_quoted(self) -> list[Part]:
        self._at += 1
        parts = [Part(kind="text", text="", quoted=True)]
        while self._at < len(self._text) and self._text[self._at] != '"':
            parts += self._piece(quoted=True)
        self._at += 1
        return parts

    def _dollar(self, *, quoted: bool) -> Part:
        start = self._at
        following = self._text[start + 1 : start + 2]
        if following == "{":
            return self._braced(quoted=quoted)
        if following == "(":
            self._at = start + 1
            self._balanced("(", ")")
            return Part(kind="unknown", text=self._text[start : self._at], quoted=quoted)
        if following == "'" and not quoted:
            return self._until("'", start + 2)
        if name := _NAME.match(self._text, start + 1):
            self._at = name.end()
            return Part(kind="variable", text="$" + name[0], name=name[0], quoted=quoted)
        special = following != "" and following in "0123456789@*#?$!-"
        self._at = start + 1 + special
        return Part(kind="unknown" if special else "text", text=self._text[start : self._at], quoted=quoted)

    def _braced(self, *, quoted: bool) -> Part:
        start = self._at
        self._at = start + 1
        self._balanced("{", "}")
        written = self._text[start : self._at]
        inner = written[2:-1]
        name = _NAME.match(inner)
        rest = inner[name.end() :] if name else ""
        operator = re.match(r":?[-=+?]|$", rest)
        if name is None or operator is None or self._depth >= DEEPEST:
            return Part(kind="unknown", text=written, quoted=quoted)
        word: tuple[Part, ...] = ()
        if default := rest[operator.end() :]:
            reader = _Reader(default, self._depth + 1)
            pieces: list[Part] = []
            while reader._at < len(default):
                pieces += reader._piece(quoted=quoted)
            word = tuple(pieces)
        return Part(kind="variable", text=written, name=name[0], operator=operator[0], word=word, quoted=quoted)

    def _balanced(self, opening: str, closing: str) -> None:
        """Go past the bracket that closes the one at this place, or to the end."""
        depth = 0
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            if character == "\\":
                self._at += 1
            elif character == "'" and opening == "(":
                self._at = self._after("'", self._at)
            elif character == opening:
                depth += 1
            elif character == closing:
                depth -= 1
                if depth == 0:
                    return

    def _until(self, mark: str, start: int) -> Part:
        self._at = self._after(mark, start)
        end = self._at - 1 if self._text[self._at - 1 : self._at] == mark and self._at > start else self._at
        return Part(kind="text", text=self._text[start:end], quoted=True)

    def _after(self, mark: str, start: int) -> int:
        found = self._text.find(mark, start)
        return len(self._text) if found < 0 else found + 1

    def _end_of_line(self) -> int:
        found = self._text.find("\n", self._at)
        return len(self._text) if found < 0 else found


def _is_number(parts: tuple[Part, ...]) -> bool:
    return all(part.kind == "text" and not part.quoted and part.text.isdigit() for part in parts)
