"""The APIs of OpenAI and Anthropic: their routes, with and without `/v1`, and which run serves a request."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from gateway_lambda.anthropic.create import count_message_tokens, create_message
from gateway_lambda.anthropic.error_form import ANTHROPIC_FORM
from gateway_lambda.errors import RequestError, ServiceError, invalid_type, model_not_found, not_allowed, not_found
from gateway_lambda.generation.generator import Generator
from gateway_lambda.monitoring.tallies import Tallies
from gateway_lambda.openai.chat import chat_completions
from gateway_lambda.openai.completions import completions
from gateway_lambda.openai.models import model_list, model_name
from gateway_lambda.openai.passthrough import decode_object, named_model, pass_to_model
from gateway_lambda.registry.record import Key
from gateway_lambda.registry.table import RegistrySource, Table
from gateway_lambda.responses.create import create_response
from gateway_lambda.routing.keys import Admission, held_key, known_key, may_use, refusal
from gateway_lambda.routing.runs import Runs
from gateway_lambda.routing.sharing import Attempts
from gateway_lambda.routing.shown_routes import GATEWAY_ROUTES
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.server.open_bodies import OpenBodies
from gateway_lambda.server.recorded import OTHER
from gateway_lambda.settings import Settings
from gateway_lambda.shown_models import ShownModels
from gateway_lambda.upstream.client import Upstream

if TYPE_CHECKING:
    from gateway_lambda.page.routes import PageRoutes

_Dialect = Callable[[Exchange, Mapping[str, Any], Generator, Settings], Awaitable[None]]
_DIALECTS: dict[bytes, _Dialect] = {
    b"/chat/completions": chat_completions,
    b"/completions": completions,
    b"/responses": create_response,
    b"/messages": create_message,
    b"/messages/count_tokens": count_message_tokens,
}
_FORMS = {b"/messages": ANTHROPIC_FORM, b"/messages/count_tokens": ANTHROPIC_FORM}
"""Routes whose errors do not have OpenAI's form, whatever goes wrong."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_IN_CLOUDWATCH = (
    "a gateway on AWS Lambda has no /metrics, because each of its processes sees a few requests; CloudWatch has the "
    "metrics, in the namespace 'servestack': Requests, Errors, PromptTokens, CompletionTokens, TimeToFirstToken, "
    "TokensPerSecond, Duration"
)
_SLASHES = re.compile(rb"/{2,}")
_ROUTES = (
    "use /v1/models, /v1/chat/completions, /v1/completions, /v1/responses, /v1/messages, or a run's own routes under "
    "/services/<run>/"
)


class Interface:
    """Answers requests that name a model instead of a run."""

    def __init__(
        self,
        settings: Settings,
        registry: RegistrySource,
        admission: Admission,
        runs: Runs,
        upstream: Upstream,
        tallies: Tallies | None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._admission = admission
        self._runs = runs
        self._upstream = upstream
        self._tallies = tallies
        self._open_bodies = OpenBodies(settings.max_open_bytes, settings.body_timeout)
        self._models = ShownModels(settings.owned_by, registry, runs, upstream)
        self._page: PageRoutes | None = None

    async def answer(self, exchange: Exchange, path: bytes) -> None:
        """Answer a request at a raw `path`. Raises `GatewayError` as long as nothing was sent."""
        if b"//" in path or (path[-1:] == b"/" and path != b"/"):
            path = _SLASHES.sub(b"/", path).rstrip(b"/") or b"/"
        if path == b"/v1" or path.startswith(b"/v1/"):
            path = path[3:] or b"/"
        exchange.route = GATEWAY_ROUTES.get(path, OTHER)
        if path == b"/models" or path.startswith(b"/models/"):
            _allow(exchange, b"GET", b"HEAD")
            await self._show_models(exchange, path[8:])
        elif path in (b"/healthz", b"/health"):
            _allow(exchange, b"GET", b"HEAD")
            await exchange.respond_json(b'{"status":"ok"}')
        elif path == b"/metrics":
            _allow(exchange, b"GET", b"HEAD")
            await self._metrics(exchange)
        elif path not in (b"/", b"/runs") or not await self._for_browsers(exchange, path):
            await self._generate(exchange, path)

    async def _generate(self, exchange: Exchange, path: bytes) -> None:
        """Answer a request whose body names a model. The gateway translates some of these routes itself.

        If no run is open, the key is checked before the body is read. Otherwise the body must be read to know whether
        its model is open, and the bodies of callers without a key have a limit together.
        """
        exchange.form = _FORMS.get(path)
        answer = _DIALECTS.get(path)
        if answer is not None:
            _allow(exchange, b"POST")
        elif exchange.method != "POST":
            raise _no_route(exchange)
        table = await self._registry.table()
        key = held_key(exchange.authorization, table)
        if key is None:
            key = await self._authenticate_if_closed(exchange, table)
        if key is not None:
            exchange.key = key.name
        body = await exchange.body(self._settings.max_body_bytes, None if key else self._open_bodies)
        name = self._name(exchange, body, known=answer is not None)
        services, table = await self._admission.admitted(exchange, table, Table.model, name, model_not_found, key)
        if len(services) == 1:
            shared = None
            run = self._runs.of(services[0], table)
        else:
            if answer is None:
                services = [each for each in services if each.model and each.model.format == "openai"] or services
            shared = Attempts(exchange, services, table, self._runs, self._upstream)
            run = shared.run
        while True:
            try:
                if run.rates is not None:
                    await run.rates.check(exchange, run.prefix + path)
                if run.service.model is not None and run.generator is None:
                    await pass_to_model(exchange, run, path, body, self._upstream, self._settings.plain_timeout)
                elif run.generator is not None and answer is not None:
                    await answer(exchange, decode_object(body), run.generator, self._settings)
                else:
                    raise _no_route(exchange, f" for the model {name[:200]!r}")
            except ServiceError as error:
                if shared is None:
                    raise
                shared.failed(error)
                run = shared.run
            else:
                return

    def _name(self, exchange: Exchange, body: bytes, *, known: bool) -> str:
        """Return the model that a request names. Raises `RequestError`; without a model, an unknown route gets 404."""
        try:
            name = named_model(exchange, body)
            if type(name) is str:
                return name
        except RequestError:
            if known:
                raise
            name = None
        if known:
            raise invalid_type("model", name, "the name of a model")
        raise _no_route(exchange)

    async def _authenticate_if_closed(self, exchange: Exchange, table: Table) -> Key | None:
        """Return the caller's key, if no run is open. Raises `RequestError` without a key, so that a caller without one
        does not learn which models exist.
        """
        if not (table.services and table.all_closed):
            return None
        key = await known_key(exchange.authorization, self._registry, table)
        if key is None:
            now = await self._registry.refreshed()
            if now.all_closed:
                raise refusal(exchange.authorization, now)
        return key

    async def _show_models(self, exchange: Exchange, path: bytes) -> None:
        table = await self._registry.table()
        if path:
            exchange.route = "/v1/models/…"
            name = model_name(path)
            services, _, _ = await self._admission.allowed(exchange, table, Table.model, name, model_not_found)
            await exchange.respond_json(msgspec.json.encode(await self._models.shown(services, table)))
            return
        await self._authenticate_if_closed(exchange, table)
        key = await known_key(exchange.authorization, self._registry, table)
        exchange.key = None if key is None else key.name
        found = [[each for each in services if may_use(key, each)] for services in table.models()]
        shown = await asyncio.gather(*(self._models.shown(services, table) for services in found if services))
        await exchange.respond_json(model_list(shown))

    async def _metrics(self, exchange: Exchange) -> None:
        """Answer with the numbers of the runs that the caller may use, for Prometheus. Only an open gateway that this
        machine alone can reach needs no key."""
        if self._tallies is None:
            raise not_found(_IN_CLOUDWATCH)
        table = await self._registry.table()
        key = await known_key(exchange.authorization, self._registry, table)
        if key is not None:
            exchange.key = key.name
        elif table.any_closed or table.has_keys or self._settings.host not in _LOOPBACK:
            raise refusal(exchange.authorization, table)
        try:
            from gateway_lambda.monitoring.prometheus_text import metrics_text
        except ImportError:
            raise not_found("/metrics needs a package where the gateway runs: pip install prometheus-client") from None
        runs = {service.run for service in table.services if may_use(key, service)}
        accept = (exchange.header(b"accept") or b"").decode("latin-1")
        kind, text = metrics_text(self._tallies, accept, runs.__contains__)
        await exchange.respond(200, ((b"content-type", kind.encode()),), text)

    async def _for_browsers(self, exchange: Exchange, path: bytes) -> bool:
        """Answer a browser with the page, or with the runs that the page shows. Return whether that was asked for."""
        if exchange.method not in ("GET", "HEAD"):
            return False
        accept = exchange.header(b"accept") or b""
        if path == b"/" and b"text/html" not in accept.lower():
            return False
        if self._page is None:
            # Imported here: a function that starts for a request has no time for a page that nobody asks for.
            from gateway_lambda.page.routes import PageRoutes

            domain = self._settings.domain
            self._page = PageRoutes(self._registry, self._runs.recent, self._models.states, domain, self._models.one)
        if path == b"/":
            return await self._page.page(exchange, accept)
        await self._page.runs(exchange)
        return True


def _no_route(exchange: Exchange, more: str = "") -> RequestError:
    return not_found(f"the route {exchange.path[:200].decode('latin-1')!r} does not exist{more}; {_ROUTES}")


def _allow(exchange: Exchange, *methods: bytes) -> None:
    if exchange.method.encode() not in methods:
        raise not_allowed(exchange.method, b", ".join(methods))
