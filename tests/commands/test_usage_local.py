"""`make usage` without a stack: the request lines of `make local`."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from openai import AuthenticationError, OpenAI

from commands.status.local_runs import local_request_lines
from commands.usage.__main__ import Means, main
from commands.usage.local_lines import grouped, read_lines
from commands.usage.query import query_text, read_rows
from commands.usage.requests import GROUPS
from tests.commands.insights import results
from tests.commands.request_lines import request_line
from tests.commands.stacks import FakePulumi
from tests.support.local_service import MISTRAL, MISTRAL_MODEL, serving
from tests.support.processes import wait_until

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TTFT = {"PromptTokens": 12, "CompletionTokens": 1030, "TimeToFirstToken": 1204.6, "Duration": 9000}
LINES = [
    request_line(NOW - timedelta(hours=14), Run="cat", key="alice", model="acme/cat", table="local", **TTFT),
    request_line(NOW - timedelta(hours=2), Run="cat", model="acme/cat", table="local", Duration=3, Errors=1),
    request_line(NOW - timedelta(hours=1), table="local", Duration=1),
    request_line(NOW - timedelta(days=8), Run="dog", table="local", Duration=1),
]


def shown(*line: str, files: tuple[Path, ...]) -> int:
    def nobody(*_: Any) -> Any:
        raise AssertionError("the command asks AWS")

    means = Means(pulumi=FakePulumi({}), clients=nobody, local=lambda: files, now=lambda: NOW, clock=nobody)  # type: ignore[arg-type]
    return main(line, means=means)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "requests"
    path.write_text("".join(f"{text}\n" for _, text in LINES))
    return path


def test_the_table_is_the_same_without_costs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(files=(file,)) == 0
    assert capsys.readouterr() == (
        """\
RUN    REQUESTS  ERRORS  TOKENS IN  TOKENS OUT  TTFT P50  TTFT P95
cat           2       1         12       1,030  1,205 ms  1,205 ms
-             1       0          -           -         -         -
total         3       1         12       1,030         -         -
""",
        "",
    )


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        ("key", [",2,1,,,,,,,,", "alice,1,0,12,1030,1204.6,1204.6,,,,"]),
        ("model", ["acme/cat,2,1,12,1030,1204.6,1204.6,,,,", ",1,0,,,,,,,,"]),
        ("day", ["2026-11-28,1,0,12,1030,1204.6,1204.6,,,,", "2026-11-29,2,1,,,,,,,,"]),
    ],
)
def test_csv_has_the_same_columns_as_with_a_stack(
    file: Path, by: str, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown("--by", by, "--csv", files=(file,)) == 0
    header = (
        f"{by},requests,errors,prompt_tokens,completion_tokens,ttft_p50_ms,ttft_p95_ms,gpu_hours,dollars,price_basis,"
        "dollars_per_million_tokens"
    )
    assert capsys.readouterr().out.splitlines() == [header, *rows]


def test_lines_of_several_make_local_are_counted_together_and_broken_ones_are_told(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.write_text(f'{LINES[1][1]}\n\n{{"_aws": {{"Timest')
    assert shown("--since", "3h", files=(file, other, tmp_path / "not-yet")) == 0
    assert capsys.readouterr() == (
        """\
RUN    REQUESTS  ERRORS  TOKENS IN  TOKENS OUT  TTFT P50  TTFT P95
cat           2       2          -           -         -         -
-             1       0          -           -         -         -
total         3       2          -           -         -         -
""",
        "Lines that cannot be read, and are not counted: 1\n",
    )


@pytest.mark.parametrize("since", ["30d", "3650d"])
def test_without_a_request_there_is_no_table(since: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("--since", since, files=(tmp_path / "not-yet",)) == 0
    assert capsys.readouterr() == ("", f"There is no request in the last {since}\n")


@pytest.fixture
def gateway() -> Iterator[str]:
    """The address of a gateway that answers its health check."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_the_file_is_the_one_that_a_gateway_that_answers_names(
    gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("commands.status.local_runs.PATIENCE", 60)
    run = {"run": "a", "url": gateway, "model": None, "configuration": "a", "server": "b", "since": NOW.isoformat()}
    for name, address in (("ended", "http://127.0.0.1:1"), ("serving", gateway)):
        (tmp_path / f"servestack-{name}").mkdir()
        served = {"gateway": address, "runs": [run], "request_lines": f"/tmp/servestack-{name}/requests.jsonl"}
        (tmp_path / f"servestack-{name}" / "served.json").write_text(json.dumps(served))
    assert local_request_lines() == (Path("/tmp/servestack-serving/requests.jsonl"),)


def test_what_make_local_answered_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("commands.status.local_runs.PATIENCE", 60)
    with serving(MISTRAL, "--auth", env={"TMPDIR": str(tmp_path)}) as service:
        key = re.findall(r"API key .*: (\S+)", service.banner)[0]
        with OpenAI(base_url=f"{service.url}/v1", api_key=key, max_retries=0) as client:
            asked: Any = {"model": MISTRAL_MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
            whole = client.chat.completions.create(**asked).usage
            stream = client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
            streamed = [chunk.usage for chunk in stream if chunk.usage is not None][-1]
            with pytest.raises(AuthenticationError):
                client.with_options(api_key="wrong").chat.completions.create(**asked)
        (file,) = local_request_lines()
        wait_until(lambda: file.read_text().count("\n") == 3, what="a line for each request")
        capsys.readouterr()
        assert [main(["--by", by]) for by in ("run", "key", "model")] == [0, 0, 0]
        lines = [(json.loads(line)["_aws"]["Timestamp"], line) for line in file.read_text().splitlines()]
        read = read_lines([file], datetime.now(UTC) - timedelta(days=1))
    printed = re.sub(r"[\d,]+ ms", "N ms", capsys.readouterr().out)
    used = (whole.prompt_tokens + streamed.prompt_tokens, whole.completion_tokens + streamed.completion_tokens)
    rows = [re.split(" {2,}", line) for line in printed.splitlines()]
    header = ["REQUESTS", "ERRORS", "TOKENS IN", "TOKENS OUT", "TTFT P50", "TTFT P95"]
    answered = ["2", "0", *(f"{tokens:,}" for tokens in used), "N ms", "N ms"]
    refused = ["-", "1", "0", "-", "-", "-", "-"]
    total = ["total", "3", "0", *answered[2:4], "-", "-"]
    assert rows == [
        *(["RUN", *header], ["yellow-cat-1", *answered], refused, total),
        *(["KEY", *header], ["local", *answered], refused, total),
        *(["MODEL", *header], [MISTRAL_MODEL, *answered], refused, total),
    ]
    for by in GROUPS:  # the query of AWS finds the same in the real lines
        of_aws = read_rows(results(query_text(by, []), lines), by, [])
        assert {one.name: one for one in of_aws} == {one.name: one for one in grouped(read.lines, by)}
    of_runs = read_rows(results(query_text("key", ["yellow-cat-1"]), lines), "key", ["yellow-cat-1"])
    durations = [json.loads(line)["Duration"] for _, line in lines if '"Run":"yellow-cat-1"' in line]
    assert [one.durations for one in of_runs] == [{"yellow-cat-1": pytest.approx(sum(durations))}, {}]
