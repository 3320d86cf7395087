"""The size of a model's weights on the Hub, its architecture, and whether a token can read them, through
`huggingface_hub`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from huggingface_hub import HfApi, ModelInfo, constants, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils import build_hf_headers, validate_repo_id  # pyright: ignore[reportUnknownVariableType]

from infra.planning.architecture import Architecture, read_architecture
from infra.planning.chat_template import ModelRepository
from infra.planning.hub_asking import PAUSES, TIMEOUT, Hub, hub_of, sent_token
from infra.planning.hub_errors import FAILURES, Asked
from infra.planning.weights import Weigh, Weights, WeightsUnknownError

_GIB = 2**30
_BYTES: Mapping[str, float] = {"F64": 8, "F32": 2, "F16": 2, "BF16": 2}
"""Bytes of a parameter on the GPU, by safetensors' name of its type. Servers load 32 bits as 16 (TGI's `--dtype`)."""
_FILES = (
    re.compile(r"model[^/]*\.safetensors"),
    re.compile(r"(?!consolidated|adapter)[^/]*\.safetensors"),
    re.compile(r"consolidated[^/]*\.safetensors"),
    re.compile(r"pytorch_model[^/]*\.bin"),
)
"""Files of weights, the preferred format first: a repository can have the same weights in several formats."""
_GGUF = re.compile(r"(?!mmproj)[^/]*\.gguf|(?P<folder>[^/]+)/[^/]*\.gguf")
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
_USUAL = "Q4_K_M"
"""The quantization that llama.cpp takes if none is given and the repository has it."""
_CONFIG = "config.json"
_FEW = 0.01
"""The largest share of parameters of other types (indexes and masks) in weights that are not quantized."""
_UNKNOWN_QUESTION = (404, 405, 501)


def weigh_on_hub(
    environment: Mapping[str, str], *, timeout: float = TIMEOUT, pauses: Sequence[float] = PAUSES
) -> Weigh:
    """Return a function that weighs models by the Hub's metadata: the number of parameters, or for quantized weights
    the sizes of files.

    Args:
        environment: the caller's environment, for `HF_ENDPOINT` and `HF_HUB_OFFLINE`.
        timeout: seconds to wait for an answer of the Hub.
        pauses: seconds before each further attempt.
    """
    callers = hub_of(environment, timeout=timeout, pauses=pauses)

    def weigh(wanted: ModelRepository) -> Weights:
        hub = callers.at(wanted.site)
        api = HfApi(endpoint=hub.site, token=sent_token(wanted.token, hub.site))

        def ask() -> Weights:
            info = api.model_info(wanted.repo, revision=wanted.revision, timeout=hub.timeout, files_metadata=True)
            return replace(_weights(wanted, info), architecture=_architecture(wanted, hub, info))

        return hub.ask(ask, _about(wanted, hub))

    return weigh


def access_on_hub(
    environment: Mapping[str, str], *, timeout: float = TIMEOUT, pauses: Sequence[float] = PAUSES
) -> Callable[[ModelRepository], None]:
    """Return a function that asks whether a token can read the files of a gated or private repository, and whether the
    repository has the revision. It raises `HubError` if not. The arguments are those of `weigh_on_hub`."""
    callers = hub_of(environment, timeout=timeout, pauses=pauses)

    def check(wanted: ModelRepository) -> None:
        hub = callers.at(wanted.site)
        headers = build_hf_headers(token=sent_token(wanted.token, hub.site))

        def ask() -> None:
            validate_repo_id(wanted.repo)
            # The library's own auth_check has no timeout.
            address = f"{hub.site}/api/models/{wanted.repo}/auth-check"
            answer = get_session().get(address, headers=headers, timeout=hub.timeout)
            try:
                hf_raise_for_status(answer)
            except RepositoryNotFoundError:
                raise
            except HfHubHTTPError as error:
                if error.response.status_code in _UNKNOWN_QUESTION:
                    raise ValueError("another server than the Hub, without this question") from None
                raise
            if not answer.is_success:
                raise ValueError("the Hub does not redirect this question")
            if wanted.revision is not None:
                api = HfApi(endpoint=hub.site, token=sent_token(wanted.token, hub.site))
                api.model_info(wanted.repo, revision=wanted.revision, timeout=hub.timeout)

        hub.ask(ask, _about(wanted, hub))

    return check


def _about(wanted: ModelRepository, hub: Hub) -> Asked:
    return Asked(
        repo=wanted.repo,
        site=hub.site,
        cache=Path(constants.HF_HUB_CACHE),
        timeout=hub.timeout,
        file=None,
        revision=wanted.revision,
        with_token=wanted.token is not None,
        purpose=f"data about {wanted.repo}",
        correct="correct the model that the container loads (MODEL_ID), or model.name",
        do_without=None,
    )


def _weights(wanted: ModelRepository, info: ModelInfo) -> Weights:
    repo = wanted.repo
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    files = _files(sizes, wanted.file)
    size = sum(sizes[name] for name in files) / _GIB
    counts = {} if info.safetensors is None or wanted.file is not None else info.safetensors.parameters
    config = cast("Mapping[str, object]", info.config or {})  # pyright: ignore[reportUnknownMemberType]
    others = sum(count for kind, count in counts.items() if kind not in _BYTES)
    if "quantization_config" not in config and others <= _FEW * sum(counts.values()):
        total = sum(_BYTES[kind] * count for kind, count in counts.items() if kind in _BYTES)
        if 0 < total < math.inf:
            origin = f"{sum(counts.values()) / 1e9:.1f} billion parameters"
            return Weights(repo=repo, gib=total / _GIB, origin=origin, download_gib=size or None)
    if size > 0:
        whole = "the sizes of its files" if wanted.file is None else f"the size of {wanted.file}"
        quantized = "quantization_config" in config or wanted.file is not None
        return Weights(repo=repo, gib=size, origin=whole, download_gib=size, quantized=quantized)
    raise WeightsUnknownError(
        f"the Hub does not know the size of the weights of {repo}", "set resources.gpu to what the model needs"
    )


def _files(sizes: Mapping[str, int], wanted: str | None) -> list[str]:
    """Return the files of weights that a server loads, of those that a repository has. `wanted` is a GGUF file, or a
    quantization; `None`: the server chooses."""
    if wanted is None:
        for pattern in _FILES:
            found = [name for name in sizes if pattern.fullmatch(name)]
            if sum(sizes[name] for name in found) > 0:
                return found
    gguf = sorted(name for name in sizes if _GGUF.fullmatch(name) and "mmproj" not in name)
    for part in [wanted] if wanted is not None else [_USUAL, ""]:
        chosen = next((name for name in gguf if part.lower() in name.lower()), None)
        if chosen is not None:
            whole = _SHARD.sub("", chosen)
            return [name for name in gguf if _SHARD.sub("", name) == whole]
    return []


def _architecture(wanted: ModelRepository, hub: Hub, info: ModelInfo) -> Architecture | None:
    """Return the architecture that the repository's own configuration describes; `None`: it has none, or the token
    cannot read it. The size of the weights is known without it."""
    if all(file.rfilename != _CONFIG for file in info.siblings or ()):
        return None
    address = hf_hub_url(wanted.repo, _CONFIG, revision=info.sha or wanted.revision, endpoint=hub.site)
    headers = build_hf_headers(token=sent_token(wanted.token, hub.site))
    try:
        answer = get_session().get(address, headers=headers, timeout=hub.timeout, follow_redirects=True)
        config = json.loads(answer.content) if answer.is_success else None
    except (*FAILURES, RecursionError):
        return None
    return read_architecture(cast("Mapping[str, object]", config)) if isinstance(config, dict) else None
