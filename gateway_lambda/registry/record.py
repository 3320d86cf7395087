"""The registry's objects: the runs, where they answer, what they serve, and the keys that may use them.

They are the same JSON in a file and in DynamoDB's `record` attributes. The planner builds these objects and the gateway
reads them; the two share nothing else. The gateway ignores unknown fields, so that it can read what a newer service
stack wrote. Meanings and defaults: docs/gateway.md#model-record. Values that go into requests to a replica are checked
when a record is made or read, so that a broken record is never used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from gateway_lambda.address import BadAddress, address, check_host

_PREFIX = re.compile(r'(?:/[!"$->@-~]*)?')
_TOKEN = re.compile(r"\s*[!-~]+\s*")
_LEAST_RATE, _MOST_RATE = 1e-6, 1e18
"""Requests a second that can be reckoned with: the times to wait stay numbers."""
Positive = Annotated[int, msgspec.Meta(ge=1)]
Moment = Annotated[int, msgspec.Meta(ge=-62_135_596_800, le=253_402_300_799)]
"""Seconds since 1970, of the years 1 to 9999."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The upstream's limits. `None` means the value of the upstream's `/info`, else TGI's default."""

    max_stop_sequences: int | None = None
    max_top_n_tokens: int = 5
    max_total_tokens: int | None = None
    """Prompt and answer together, in tokens."""
    max_input: int | None = None
    """Prompt alone, in tokens."""


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model: its name for clients, and how to use its upstream."""

    name: str
    """The id clients send in `model`."""
    type: Literal["chat"] = "chat"
    generates: bool = True
    """Whether it writes text, so that people can chat with it. Models for embeddings and reranking do not."""
    format: Literal["tgi", "openai"] = "tgi"
    prefix: str = "/v1"
    """Path under the service where an OpenAI-format upstream serves. Only for `format: openai`."""
    chat_template: str | None = None
    chat_templates: dict[str, str] = {}
    """Further named templates (`tool_use`)."""
    eos_token: str | None = None
    bos_token: str | None = None
    special_tokens: dict[str, str | list[str]] = {}
    """Further template variables (`pad_token`, `additional_special_tokens`, …)."""
    hub_repo: str | None = None
    revision: str | None = None
    stop_strings: list[str] | None = None
    """End markers beside the client's stops, matched by the gateway; `None` means `[eos_token]`."""
    strip_bos: Literal["auto", "always", "never"] = "auto"
    limits: Limits = msgspec.field(default_factory=Limits)
    default_max_tokens: int | None = None
    clamp_max_tokens: bool = False
    max_n: int = 8
    unsupported_params: Literal["reject", "drop"] = "reject"
    tools: str = "grammar"
    """`off`, `grammar`, or the name of a call syntax (docs/translation.md#tools)."""
    json_object: Literal["reject", "regex"] = "regex"
    vision: bool = False
    image_hosts: list[str] = []
    """Hosts that the upstream may fetch http(s) images from, when `vision` is on."""
    prefill: Literal["continue", "new_turn"] = "continue"
    control_tokens_in_input: Literal["allow", "strip", "reject"] = "allow"
    adapter_id: str | None = None
    upstream_api_key: str | None = None
    created: int = 0
    """When it was registered, in seconds since 1970; what `/models` shows."""

    def __post_init__(self) -> None:
        """Raises `ValueError`, as all of these do; the messages quote no value."""
        if _PREFIX.fullmatch(self.prefix) is None:
            raise ValueError("prefix: use a path in ASCII that begins with /, without query and fragment")
        if self.upstream_api_key and _TOKEN.fullmatch(self.upstream_api_key) is None:
            raise ValueError("upstream_api_key: use printable ASCII without spaces")


class RateLimit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many requests a client may make, below one path prefix. Of several that fit, the longest prefix holds."""

    prefix: str
    header: str | None = None
    """The header whose value tells clients apart; `None` (dstack's `ip_address`): their address does."""
    rps: Annotated[float, msgspec.Meta(ge=_LEAST_RATE, le=_MOST_RATE)]
    """Requests a second."""
    burst: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Requests that may come ahead of it."""


class Service(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run: its name, its address, whether a key is needed."""

    run: str
    url: str | list[str] | None = None
    """Base URL, or one a replica. `None`: the gateway's own upstream (the load balancer) with `host`."""
    host: str | None = None
    """The Host header to send upstream; `None` sends the URL's own."""
    auth: bool = True
    min_replicas: int = 1
    strip_prefix: bool = True
    """Whether the service gets paths without the `/services/<run>` that led to it."""
    model: Model | None = None
    weight: Positive | None = None
    """Of the requests for the model's name, the share that this run takes beside the others that have a weight.
    `None`: it shares its model's name with nobody."""
    rate_limits: list[RateLimit] = []
    instance_types: list[str] = []
    """The instance types that its replicas can have, the cheapest first; empty: not known, or not on AWS."""
    hourly_price: Annotated[float, msgspec.Meta(ge=0)] | None = None
    """US dollars an hour of a replica of the first type, at the on-demand list price of the catalog."""
    spot: bool = False
    """Whether replicas can be spot instances, which cost less."""

    def __post_init__(self) -> None:
        for base in [self.url] if isinstance(self.url, str) else self.url or []:
            _named("url", address, base)
        if self.host is not None:
            _named("host", check_host, self.host)


class Key(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An API key, known by its digest alone."""

    name: str
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{64}\Z")]
    """Hex digest of the key's UTF-8 bytes."""
    runs: list[str] | None = None
    """Run names the key may use; `["*"]` or `None`: all."""
    expires: Moment | None = None
    """From when on the key is refused, in seconds since 1970; `None`: never."""
    requests_per_minute: Positive | None = None
    """The most requests; `None`: any number. The keys of one person (`alice`, `alice@2`) count together."""
    tokens_per_day: Positive | None = None
    """The most tokens of prompts and answers in a day in UTC. A request is let in as long as fewer are used."""
    max_concurrent: Positive | None = None
    """The most requests at the same time."""


def person(key: str) -> str:
    """Return whose key it is, by the key's name: `alice` for `alice` and for `alice@2`."""
    return key.partition("@")[0]


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has a model name, and the full name of its stack."""

    run: str
    owner: str


class ModelClaim(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a model name: the runs of one stack, or several runs that share it. Who had it first comes first."""

    model: str
    holders: list[Holder]
    shared: bool = False


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """One state of the whole table."""

    keys: list[Key] = []
    services: list[Service] = []
    claims: list[ModelClaim] = []
    """At most one a model name. A name without one belongs to the run that was registered first."""


def _named(field: str, check: Callable[[str], object], value: str) -> None:
    try:
        check(value)
    except BadAddress as problem:
        raise ValueError(f"{field}: {problem}") from None
