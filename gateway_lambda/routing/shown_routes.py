"""How the route of a request is written down. Only known paths are: another path can have anything in it, such as the
name of a person."""

from __future__ import annotations

from gateway_lambda.server.recorded import HEALTH

OTHER_RUN = "/services/…"
"""Of a run that does not exist, or that the caller may not use."""

_MODELS = (
    *("/chat/completions", "/completions", "/responses", "/messages", "/messages/count_tokens"),
    *("/embeddings", "/models", "/rerank", "/score", "/classify", "/moderations", "/images/generations"),
    *("/audio/speech", "/audio/transcriptions", "/audio/translations"),
)
_OF_GATEWAY = ("/", "/runs", "/metrics", HEALTH)
_OF_SERVERS = (
    *("/generate", "/generate_stream", "/info", "/tokenize", "/detokenize", "/embed", "/predict", "/similarity"),
    *("/rerank", "/score", "/classify", "/pooling", "/health", "/ping", "/version", "/metrics", "/invocations"),
    *("/api/chat", "/api/generate", "/api/embed", "/api/tags"),
)

GATEWAY_ROUTES = {
    **{path.encode(): f"/v1{path}" for path in _MODELS},
    **{path.encode(): path for path in _OF_GATEWAY},
    b"/health": HEALTH,
}
"""The gateway's own, by their paths without `/v1`."""
RUN_ROUTES = {path.encode(): path for path in ("/", *_OF_SERVERS, *(f"/v1{path}" for path in _MODELS))}
"""Those that model servers have, by their paths below a run's own address."""
