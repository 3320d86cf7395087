"""What the Hub says of a model's weights, and whether a token may read them, through `huggingface_hub`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, cast

from huggingface_hub import HfApi, ModelInfo, constants

from infra.configuration import Secret
from infra.planning.chat_template import ModelRepository
from infra.planning.hub_errors import FAILURES, Asked, explain, may_heal
from infra.planning.repository import HubError, HubOutOfReachError
from infra.planning.weights import Weigh, Weights

TIMEOUT = 10.0
"""Seconds that the Hub may be silent."""
PAUSES = (0.5, 1.5)
"""Seconds before the second and the third attempt, when one failed by no fault of the question."""
_GIB = 2**30
_BYTES: Mapping[str, float] = {"F64": 8, "F32": 2, "F16": 2, "BF16": 2}
"""Of a parameter on the GPU, by safetensors' name of its type. Servers load 32 bits as 16 (TGI's `--dtype`)."""
_FILES = (
    re.compile(r"model[^/]*\.safetensors"),
    re.compile(r"(?!consolidated|adapter)[^/]*\.safetensors"),
    re.compile(r"consolidated[^/]*\.safetensors"),
    re.compile(r"pytorch_model[^/]*\.bin"),
)
"""Weights, the preferred first: a repository may have the same ones in several formats."""
_CHARACTERS = re.compile(r"[!-~]+")
"""What a header can carry."""

T = TypeVar("T")


def weigh_on_hub(environment: Mapping[str, str], *, pauses: Sequence[float] = PAUSES) -> Weigh:
    """Weighs models by the Hub's own metadata: counts of parameters, or sizes of files where they are quantized.

    Args:
        environment: the caller's, for `HF_ENDPOINT`.
        pauses: seconds before each further attempt.
    """
    site = _site(environment)

    def weigh(wanted: ModelRepository) -> Weights:
        api = HfApi(endpoint=site, token=_token(wanted.token, site))
        revision = wanted.revision

        def ask() -> ModelInfo:
            return api.model_info(wanted.repo, revision=revision, timeout=TIMEOUT, files_metadata=True)

        return _weights(wanted.repo, _asked(ask, wanted.repo, revision, wanted.token, site, pauses))

    return weigh


def access_on_hub(
    environment: Mapping[str, str], *, pauses: Sequence[float] = PAUSES
) -> Callable[[str, Secret | None], None]:
    """Asks whether a token may read the files of a repository: not gated for it, not private. Arguments as above."""
    site = _site(environment)

    def check(repo: str, token: Secret | None) -> None:
        api = HfApi(endpoint=site, token=_token(token, site))
        _asked(lambda: api.auth_check(repo), repo, None, token, site, pauses)

    return check


def _asked(
    ask: Callable[[], T], repo: str, revision: str | None, token: Secret | None, site: str, pauses: Sequence[float]
) -> T:
    for pause in (*pauses, None):
        try:
            return ask()
        except FAILURES as error:
            if pause is None or not may_heal(error):
                raise _explained(error, repo, revision, token, site) from None
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _explained(error: Exception, repo: str, revision: str | None, token: Secret | None, site: str) -> HubError:
    """In the planner's words, but for what it was asked for."""
    asked = Asked(
        repo=repo,
        site=site,
        cache=Path(constants.HF_HUB_CACHE),
        timeout=TIMEOUT,
        file=None,
        revision=revision,
        with_token=token is not None,
    )
    explained = explain(error, asked)
    if isinstance(explained, HubOutOfReachError):
        rule = explained.rule.partition(", asked for")[0]
        return HubOutOfReachError(f"{rule}, asked about {repo}", "try again with the network up")
    return explained


def _weights(repo: str, info: ModelInfo) -> Weights:
    counts = {} if info.safetensors is None else info.safetensors.parameters
    config = cast("Mapping[str, object]", info.config or {})  # pyright: ignore[reportUnknownMemberType]
    quantized = "quantization_config" in config or any(kind not in _BYTES for kind in counts)
    if counts and not quantized:
        total = sum(_BYTES[kind] * count for kind, count in counts.items())
        return Weights(repo=repo, gib=total / _GIB, origin=f"{sum(counts.values()) / 1e9:.1f} billion parameters")
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    for pattern in _FILES:
        total = sum(size for name, size in sizes.items() if pattern.fullmatch(name))
        if total:
            return Weights(repo=repo, gib=total / _GIB, origin="the sizes of its files")
    raise HubError(f"{repo} has no weights whose size the Hub knows", "say what the model needs under resources.gpu")


def _token(token: Secret | None, site: str) -> str | bool:
    """False: ask as nobody, even where this machine has a login."""
    if token is None:
        return False
    if not _CHARACTERS.fullmatch(token.reveal()):
        raise HubError(
            "the service's Hub token is empty, or has a space, a line break or another character that no token has",
            f"copy it again from {site}/settings/tokens, with nothing around it",
        )
    return token.reveal()


def _site(environment: Mapping[str, str]) -> str:
    return (environment.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
