"""A record of the log is a line, whatever others put into it."""

from __future__ import annotations

import io
import logging

import httpx
import pytest

from gateway_lambda.logs import OneLine
from tests.gateway.scripted_tgi import answer, reply
from tests.gateway.serving import HI, Bench
from tests.gateway.test_process import process

FORGED = "ERROR gateway_lambda.app: forged"


@pytest.fixture
def log() -> tuple[logging.Logger, io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(OneLine("%(levelname)s %(name)s: %(message)s"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger, written


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain 'text' é \N{GRINNING FACE} \\", "plain 'text' é \N{GRINNING FACE} \\"),
        (f"a\r\n{FORGED}", f"a\\r\\n{FORGED}"),
        ("\x1b[2J\x9b1A\x00\x7f\t\b", "\\x1b[2J\\x9b1A\\x00\\x7f\\t\\x08"),
        ("\x85\u2028\u2029\u202e\ud800\U000e0041", "\\x85\\u2028\\u2029\\u202e\\ud800\\U000e0041"),
    ],
)
def test_what_cannot_be_seen_is_written_as_an_escape(
    log: tuple[logging.Logger, io.StringIO], text: str, line: str
) -> None:
    logger, written = log
    logger.warning("said %s", text)
    assert written.getvalue() == f"WARNING test: said {line}\n"


def test_no_line_of_a_traceback_passes_for_a_record(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    try:
        raise ValueError(f"a\n{FORGED}\r{FORGED}")
    except ValueError:
        logger.exception("failed\n%s", FORGED)
    first, *rest = written.getvalue().splitlines()
    assert first == f"ERROR test: failed\\n{FORGED}"
    assert rest[-2:] == ["    ValueError: a", f"    {FORGED}\\r{FORGED}"]
    assert all(line.startswith("    ") for line in rest)


def test_what_an_upstream_says_stays_on_its_line(bench: Bench) -> None:
    bench.tgi.replies.append(answer("a", finish=f"odd\n{FORGED}\x1b[2J"))
    bench.tgi.replies.append(reply(200, f'{{"generated_text": 5, "a\\n{FORGED}": 1}}'))
    with process(bench) as (started, url):
        for _ in range(2):
            httpx.post(f"{url}/v1/chat/completions", json={"model": "m", "messages": HI})
        started.terminate()
        assert started.stderr is not None
        lines = started.stderr.read().decode().splitlines()
    known = ("INFO uvicorn", "WARNING gateway_lambda")
    assert [line for line in lines if not line.startswith(known)] == []
    said = "TGI gave an unknown finish reason, and the gateway says stop"
    assert f"WARNING gateway_lambda.tgi.replies: {said}: odd\\n{FORGED}\\x1b[2J" in lines
