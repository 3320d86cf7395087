"""Programs that start another program: `exec`, `env`, `sh -c` and others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from infra.planning.shell_words import Word

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=", re.ASCII)
_SHELLS = ("sh", "bash", "dash", "ash", "zsh")
_STARTERS: Mapping[str, tuple[str, ...]] = {
    "exec": ("-a",),
    "command": (),
    "builtin": (),
    "nohup": (),
    "setsid": (),
    "env": ("-u", "--unset", "-C", "--chdir"),
    "sudo": ("-u", "-g", "-h", "-p", "-C", "-D"),
    "tini": ("-p", "-e"),
    "dumb-init": ("-r", "--rewrite"),
    "nice": ("-n",),
    "ionice": ("-c", "-n"),
    "stdbuf": ("-i", "-o", "-e"),
    "timeout": ("-k", "-s"),
    "numactl": ("-m", "-N", "-C", "-i", "-p"),
    "taskset": (),
    "unbuffer": (),
}
"""Programs that start another one, with those of their options that take a value."""
_ARGUMENTS_FIRST = ("timeout", "taskset")
"""Those that have an argument before the program."""
_RUNNERS = ("uv", "poetry", "pipenv", "pdm", "conda", "mamba")
"""Those that start a program by `run`."""
_RUNNERS_VALUES = ("-n", "--name", "-p", "--prefix", "--with", "--python")


@dataclass(frozen=True, kw_only=True)
class Started:
    """The program that a command starts in the end."""

    words: Sequence[Word]
    """The program with its arguments; empty: none."""
    extra: Mapping[str, str | None]
    """The variables that are set for it alone; `None`: the value is not known."""
    script: Word | None = None
    """The command line that a shell runs in its place."""


def find_program(words: Sequence[Word], extra: Mapping[str, str | None]) -> Started:
    """Return the program behind those that only start it."""
    set_for_it = dict(extra)
    words = list(words)
    while words and words[0].known:
        program = PurePosixPath(words[0].text).name
        if program in _SHELLS and (script := _script(words)) is not None:
            return Started(words=(), extra=set_for_it, script=script)
        if program == "eval":
            text = " ".join(word.text for word in words[1:])
            return Started(words=(), extra=set_for_it, script=Word(text, all(word.known for word in words)))
        if program in _RUNNERS and len(words) > 1 and words[1].text == "run":
            words = _without_options(words[2:], _RUNNERS_VALUES)
        elif program in _STARTERS:
            words = _without_options(words[1:], _STARTERS[program])
            if program in _ARGUMENTS_FIRST:
                words = words[1:]
            while program in ("env", "sudo") and words and (found := _ASSIGNMENT.match(words[0].text)):
                set_for_it[found[1]] = words[0].text[found.end() :] if words[0].known else None
                words = words[1:]
        else:
            break
    return Started(words=words, extra=set_for_it)


def _script(words: Sequence[Word]) -> Word | None:
    """Return the command line of `sh -c`, or nothing if the shell runs a file."""
    for index, word in enumerate(words[1:], start=1):
        if not word.text.startswith(("-", "+")):
            return None
        if not word.text.startswith("--") and "c" in word.text:
            return next((later for later in words[index + 1 :] if not later.text.startswith("-")), None)
    return None


def _without_options(words: Sequence[Word], with_value: Sequence[str]) -> list[Word]:
    rest = list(words)
    while rest and rest[0].text.startswith("-"):
        option = rest.pop(0).text
        if option == "--":
            break
        if option in with_value and rest:
            rest = rest[1:]
    return rest
