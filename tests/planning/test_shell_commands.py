"""The shell reader: the same words as a real shell, for any text, in bounded time."""

from __future__ import annotations

import subprocess
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.planning.shell_commands import read_commands
from infra.planning.shell_words import Word

PIECES = st.sampled_from(
    [
        *"ab=;&|'\"`$(){}<>#\\\n \t:-+?",
        "${",
        "}",
        "$(",
        "<<E\n",
        "E\n",
        "eval ",
        "sh -c ",
        "export ",
        "if ",
        "fi",
        "A=",
        "$A",
    ]
)


@pytest.mark.parametrize(
    "line",
    [
        r"""show a 'b c' "d e" f\ g "h\"i" j'k'l \
            m "\$X" '$X' \\ "\\" "\a" """,
        'X=\'1  2\'; show $X "$X" a${X}b "a${X}b"',
        'X=; show "$X" $X ${X:-d} ${X-d} ${X:+p} ${X+p} end',
        'show ${NONE:-a b} "${NONE:-a b}" ${NONE:-"a b"} ${NONE:=v} $NONE ${NONE+set}',
        "X=a/b && show $X/c; show x#y # not this",
        "X=1 Y=2; export Z=$X$Y; show $Z > /dev/stdout 2>&1",
        "show a & wait; show b || show never; (show c); { show d; }",
        "cat > /dev/null <<END\nshow no\nEND\nshow yes",
        'A=1; A=$A$A; show "$A"',
        "sh -c 'show in there'; eval 'show a' \"'b c'\"",
        "exec env V=1 show last",
        "M=1; (M=2; show $M); show $M; (case a in a) M=3 ;; esac; show x); show $M",
    ],
)
def test_words_are_those_of_the_shell(line: str, tmp_path: object) -> None:
    program = f"{tmp_path}/show"
    with open(program, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\nfor word; do printf '<%s>' \"$word\"; done\necho\n")
    subprocess.run(["chmod", "755", program], check=True)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    ran = subprocess.run(["/bin/sh", "-c", line], env=environment, capture_output=True, text=True, timeout=60)
    shown = [
        "".join(f"<{word.text}>" for word in command.words[1:])
        for command in read_commands(["/bin/sh", "-c", line], environment)
        if command.words[0].text == "show" and [word.text for word in command.words[1:]] != ["never"]
    ]
    assert shown == ran.stdout.splitlines(), ran.stderr


def test_what_a_function_sets_is_not_known() -> None:
    line = "M=1; early() { M=2; export N=3; }; early && show $M $N; { M=4; }; show $M"
    shown = [c.words[1:] for c in read_commands(["/bin/sh", "-c", line], {}) if c.words[0].text == "show"]
    assert shown == [(Word("$M", known=False), Word("$N", known=False)), (Word("4"),)]


@given(st.lists(PIECES, max_size=60).map("".join))
@settings(max_examples=300)
def test_any_text_is_read(text: str) -> None:
    for command in read_commands(["/bin/sh", "-i", "-c", text], {"A": "x y", "B": None}):
        assert command.words


@pytest.mark.parametrize(
    "text",
    [
        "A=x;" + "A=$A$A;" * 60 + "vllm serve $A",
        'X=\'eval "$X";eval "$X"\'; eval "$X"',
        "${A:-" * 20_000,
        "$(" * 50_000,
        "'\"`" * 40_000,
        "a <<E\n" * 20_000,
    ],
    ids=["doubling", "eval", "defaults", "substitutions", "quotes", "documents"],
)
def test_a_hostile_command_line_takes_bounded_time(text: str) -> None:
    began = time.process_time()
    read_commands(["/bin/sh", "-c", text], {})
    assert time.process_time() - began < 20
