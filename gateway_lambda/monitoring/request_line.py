"""A line of JSON for each request, which is also its metrics (docs/gateway.md#request-lines)."""

from __future__ import annotations

import time

import msgspec

from gateway_lambda.monitoring.embedded_metrics import RUN, TABLE, Described, metrics_of
from gateway_lambda.monitoring.line_output import LineOutput
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.server.recorded import HEALTH

_UNITS = {
    "Requests": "Count",
    "Errors": "Count",
    "Duration": "Milliseconds",
    "PromptTokens": "Count",
    "CompletionTokens": "Count",
    "TimeToFirstToken": "Milliseconds",
    "TokensPerSecond": "Count/Second",
}
_ALWAYS = 3
"""How many of them each request has: the first ones."""


class _Line(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """Members that have their default are left out. Metrics and dimensions are members with CloudWatch's names. Times
    are in milliseconds."""

    aws: Described = msgspec.field(name="_aws")
    Table: str
    Run: str | None = None
    Requests: int
    Errors: int
    Duration: float
    PromptTokens: int | None = None
    CompletionTokens: int | None = None
    TimeToFirstToken: float | None = None
    TokensPerSecond: float | None = None
    request_id: str
    key: str | None = None
    model: str | None = None
    route: str
    status: int = 0
    error: str | None = None
    stream: bool
    first_byte_ms: float | None = None
    held_ms: float | None = None
    client_left: bool = False


class RequestLines:
    """Writes the lines. `table`: the name of the registry's table, which is the dimension `Table`."""

    def __init__(self, table: str, output: LineOutput) -> None:
        self._table = table
        self._write = output.write
        self._encode = msgspec.json.Encoder().encode
        self._prepared: dict[tuple[bool, ...], msgspec.Raw] = {}

    def note(self, exchange: Exchange) -> None:
        """Write the line of a request that has ended. Health checks of the gateway have none."""
        if exchange.route == HEALTH:
            return
        begun, ended, first = exchange.begun, exchange.ended, exchange.first_token
        run, usage = exchange.run, exchange.usage
        prompt = completion = to_first = speed = None
        if usage is not None:
            prompt, completion = usage.prompt_tokens, usage.completion_tokens
        if first and exchange.model is not None:
            to_first = round((first - begun) * 1000, 1)
            if completion is not None and completion > 1 and ended > first:
                speed = round((completion - 1) / (ended - first), 2)
        has = (run is not None, prompt is not None, completion is not None, to_first is not None, speed is not None)
        line = _Line(
            aws=Described(int(time.time() * 1000), self._prepared.get(has) or self._prepare(has)),
            Table=self._table,
            Run=run,
            Requests=1,
            Errors=int(exchange.failed),
            Duration=round((ended - begun) * 1000, 1),
            PromptTokens=prompt,
            CompletionTokens=completion,
            TimeToFirstToken=to_first,
            TokensPerSecond=speed,
            request_id=exchange.request_id.decode(),
            key=exchange.key,
            model=exchange.model,
            route=f"{exchange.method} {exchange.route}",
            status=exchange.status,
            error=exchange.error,
            stream=exchange.stream,
            first_byte_ms=round((exchange.first_byte - begun) * 1000, 1) if exchange.first_byte else None,
            held_ms=round(exchange.held * 1000, 1) if exchange.held else None,
            client_left=exchange.client_left,
        )
        self._write(self._encode(line) + b"\n")

    def _prepare(self, has: tuple[bool, ...]) -> msgspec.Raw:
        dimensions = [[TABLE], [TABLE, RUN]] if has[0] else [[TABLE]]
        names = list(_UNITS)
        named = names[:_ALWAYS] + [name for name, there in zip(names[_ALWAYS:], has[1:], strict=True) if there]
        self._prepared[has] = metrics_of(dimensions, {name: _UNITS[name] for name in named})
        return self._prepared[has]
