"""The contenders: how each one is started, and what a request to it looks like."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.canned import BATCH, END
from bench.load import Job
from bench.processes import ROOT

KEY: Final = "bench-key-7f3a"
PEERS: Final = ROOT / ".cache" / "peers"
"""`make bench-peers` makes an environment a peer here."""
TEMPLATE: Final = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MESSAGES: Final = [
    {"role": "system", "content": "You are a helpful assistant. Answer briefly and name your sources."},
    {"role": "user", "content": "Compose a poem that explains the concept of recursion in programming."},
]
TEXTS: Final = [f"Document {number}: a sentence of the length that people search for." for number in range(BATCH)]


@dataclass(frozen=True)
class Contender:
    """One server, and the requests that it gets."""

    name: str
    command: Sequence[str]
    port: int
    plain_path: str = "/v1/chat/completions"
    stream_path: str = "/v1/chat/completions"
    model: str = "bench"
    format: str = "openai"
    """What a caller speaks: `openai`, or `tgi` where bytes are copied to TGI as they are."""
    env: Mapping[str, str] = field(default_factory=dict)
    start_within: float = 30.0
    imports: Sequence[str] = ()
    """A command that imports the application and ends."""
    share: float = 1.0
    """Part of the requests of a round that it gets: a server that costs fifty times as much needs fewer."""

    def plain(self, **job: Any) -> Job:
        """Return a job of plain requests."""
        return Job(port=self.port, path=self.plain_path, body=self._body(16, None), tokens=16, key=KEY, **job)

    def stream(self, tokens: int, milliseconds: int, **job: Any) -> Job:
        """Return a job of streams with `tokens` each. `milliseconds`: the time between two tokens."""
        body = self._body(tokens, milliseconds)
        return Job(port=self.port, path=self.stream_path, body=body, tokens=tokens, key=KEY, **job)

    def embeddings(self, **job: Any) -> Job:
        """Return a job of requests for the embeddings of a batch."""
        body = json.dumps({"model": self.model, "input": TEXTS, "encoding_format": "base64"})
        return Job(port=self.port, path="/v1/embeddings", body=body, tokens=1, key=KEY, **job)

    def _body(self, tokens: int, milliseconds: int | None) -> str:
        """With `milliseconds` between tokens, it asks for a stream. The upstream reads the number from the seed."""
        if self.format == "tgi":
            inputs = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in MESSAGES)
            sampling: dict[str, Any] = {"do_sample": True, "max_new_tokens": tokens, "temperature": 0.7, "stop": [END]}
            parameters = {**sampling, "details": True, "return_full_text": False, "seed": milliseconds}
            return json.dumps({"inputs": inputs + "<|im_start|>assistant\n", "parameters": parameters})
        request: dict[str, Any] = {"model": self.model, "messages": MESSAGES, "max_tokens": tokens, "temperature": 0.7}
        if milliseconds is not None:
            request |= {"stream": True, "seed": milliseconds}
        return json.dumps(request)


def gateway(
    upstream: int,
    port: int,
    registry: Path,
    *,
    services: int = 1,
    name: str = "gateway",
    lines: bool = True,
    limits: bool = False,
) -> Contender:
    """The gateway of this project: it checks keys, has all features on, and serves `services` models in each format.
    Requests go to the last one.
    `lines`: it writes request lines, into a file beside the registry file. `limits`: each key has every limit."""
    records = [
        {
            "run": f"run-{kind}-{number}",
            "url": f"http://127.0.0.1:{upstream}",
            "auth": True,
            "model": {"name": f"{kind}-{number}", "format": kind, **(_TGI_MODEL if kind == "tgi" else {})},
        }
        for kind in ("tgi", "openai")
        for number in range(services)
    ]
    digests = [hashlib.sha256(f"{KEY}{number or ''}".encode()).hexdigest() for number in range(20)]
    more = _LIMITS if limits else {}
    keys = [{"name": f"key-{number}", "sha256": digest, "runs": ["*"], **more} for number, digest in enumerate(digests)]
    registry.write_text(json.dumps({"keys": keys, "services": records}))
    return Contender(
        name=name,
        command=[sys.executable, "-m", "gateway_lambda"],
        port=port,
        model=f"tgi-{services - 1}",
        env={
            "GATEWAY_REGISTRY": f"file:{registry}",
            "GATEWAY_DOMAIN": "example.com",
            "GATEWAY_REQUEST_LINES": f"{registry}.lines" if lines else "",
            "HOST": "127.0.0.1",
            "PORT": str(port),
        },
        imports=[sys.executable, "-c", "import gateway_lambda.app"],
    )


_LIMITS: Final = {"requests_per_minute": 10**9, "tokens_per_day": 10**12, "max_concurrent": 10**4}
"""They are counted, and nothing reaches them."""
_TGI_MODEL: Final = {
    "chat_template": TEMPLATE,
    "eos_token": END,
    "bos_token": "<s>",
    "special_tokens": {"pad_token": END, "additional_special_tokens": ["<|im_start|>", END]},
    "vision": True,
    "max_n": 8,
}


def copying(upstream: int, port: int, client: str, name: str) -> Contender:
    """A byte copy, to TGI, through the HTTP client `aiohttp` or `own`."""
    return Contender(
        name=name,
        command=[sys.executable, "-m", "bench.copying", client, str(port), f"http://127.0.0.1:{upstream}"],
        port=port,
        plain_path="/generate",
        stream_path="/generate_stream",
        format="tgi",
    )


def direct(upstream: int) -> Contender:
    """The upstream itself, by TGI's API."""
    return Contender("direct", [], upstream, plain_path="/generate", stream_path="/generate_stream", format="tgi")


def dstack(upstream: int, port: int) -> Contender | None:
    """dstack's model proxy router, if `make bench-peers` has installed it."""
    python = PEERS / "dstack" / "bin" / "python"
    if not python.exists():
        return None
    return Contender(
        name="dstack",
        command=[str(python), "bench/dstack_app.py", str(port), f"http://127.0.0.1:{upstream}"],
        port=port,
        plain_path="/api/models/main/chat/completions",
        stream_path="/api/models/main/chat/completions",
        env={"DSTACK_BENCH_KEY": KEY, "DSTACK_BENCH_TEMPLATE": TEMPLATE, "DSTACK_BENCH_EOS": END},
        start_within=60,
        imports=[str(python), "-c", "import dstack._internal.proxy.lib.routers.model_proxy"],
        share=0.2,
    )


def litellm(upstream: int, port: int, configuration: Path) -> Contender | None:
    """The LiteLLM proxy, if `make bench-peers` has installed it. It sends OpenAI's format to the upstream."""
    python = PEERS / "litellm" / "bin" / "python"
    if not python.exists():
        return None
    model = {"model": "openai/bench", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "none"}
    settings = {
        "model_list": [{"model_name": "bench", "litellm_params": model}],
        "general_settings": {"master_key": KEY},
    }
    configuration.write_text(json.dumps(settings))  # JSON is YAML
    return Contender(
        name="LiteLLM",
        command=[
            str(python.parent / "litellm"),
            "--config",
            str(configuration),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ],
        port=port,
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION", "LITELLM_TELEMETRY": "False"},
        start_within=120,
        imports=[str(python), "-c", "import litellm.proxy.proxy_server"],
        share=0.05,
    )
