"""Weights in GGUF from a repository of the Hub: the file of a quantization, with progress. A download that broke off is
continued, and what is there is not fetched again: both are the Hub's library's work."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_download  # pyright: ignore[reportUnknownVariableType]
from huggingface_hub.utils import tqdm

from infra.configuration import Secret
from infra.planning.hub import hub_cache
from infra.planning.hub_asking import hub_of, sent_token
from infra.planning.hub_errors import FAILURES, Asked, explain
from infra.planning.repository import TOKEN_VARIABLES, HubError
from local.model_server.standin import GO_BACK

PREFERRED = ("Q4_K_M", "Q4_0", "Q8_0")
"""The quantizations that are taken if none is named, the first of them that is there."""
_QUANTIZATION = re.compile(
    r"(?:^|[.-])((?:UD-)?(?:[IT]?Q[1-8](?:_[A-Z0-9]+)*|MXFP4(?:_[A-Z0-9]+)*|BF16|F16|F32))(?=[.-]|$)"
)
_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
_SLOW = 10.0
"""Seconds between two lines of progress where nobody looks at a terminal."""
_FORMAT = "  {n_fmt}B of {total_fmt}B, {rate_fmt}, {remaining} left"


def fetch_weights(
    repo: str, quantization: str | None, environment: Mapping[str, str], say: Callable[[str], None]
) -> Path:
    """Return the file of a quantization; of several parts, the first.

    Raises:
        HubError: the Hub does not give it, or the repository does not have it.
    """
    value = next((found for name in TOKEN_VARIABLES if (found := environment.get(name))), None)
    hub, cache = hub_of(environment), hub_cache(environment)
    token = sent_token(None if value is None else Secret(value), hub.site)

    def asked(file: str | None) -> Asked:
        return Asked(
            repo=repo,
            site=hub.site,
            cache=cache,
            timeout=hub.timeout,
            file=file,
            revision=None,
            with_token=bool(token),
            purpose="the stand-in model",
            correct="correct the name after --stand-in",
            do_without=f"go back with {GO_BACK}",
        )

    def look() -> tuple[str | None, list[str]]:
        info = HfApi(endpoint=hub.site, token=token).model_info(repo, timeout=hub.timeout)
        return info.sha, [str(file.rfilename) for file in info.siblings or ()]

    commit, names = hub.ask(look, asked(None))
    files = choose_files(repo, quantization, names)
    say(f"Fetching {', '.join(files)} of {repo} from the Hub …")
    paths: list[str] = []
    for file in files:
        try:
            path: Any = hf_hub_download(
                repo,
                file,
                revision=commit,
                cache_dir=cache,
                endpoint=hub.site,
                token=token,
                etag_timeout=hub.timeout,
                tqdm_class=_Progress,
            )
        except FAILURES as error:
            raise explain(error, asked(file)) from None
        paths.append(str(path))
    return Path(paths[0])


def choose_files(repo: str, quantization: str | None, names: Collection[str]) -> list[str]:
    """Return the files of a quantization, all its parts in order.

    Raises:
        HubError: there is no such file. The remedy names what there is.
    """
    by_quantization: dict[str, list[str]] = {}
    for name in sorted(names):
        base = name.rpartition("/")[2]
        if name.endswith(".gguf") and not base.lower().startswith(("mmproj", "imatrix")):
            found = _QUANTIZATION.findall(_PART.sub("", base.removesuffix(".gguf")).upper())
            by_quantization.setdefault(found[-1] if found else "", []).append(name)
    if not by_quantization:
        raise HubError(f"{repo} has no GGUF files", "choose a repository that has them: most have GGUF in their name")
    wanted = [quantization.upper()] if quantization else [*PREFERRED, *by_quantization]
    chosen = next((by_quantization[name] for name in wanted if name in by_quantization), None)
    if chosen is None:
        there = ", ".join(filter(None, by_quantization)) or ", ".join(sorted(names))
        raise HubError(f"{repo} has no GGUF file of {quantization}", f"choose one that it has: {there}")
    first = chosen[0]
    return chosen if _PART.search(first) else [first]


class _Progress(tqdm):  # pyright: ignore[reportUntypedBaseClass, reportMissingTypeArgument]
    """A line that grows on a terminal; elsewhere a line now and then."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        lively = sys.stderr.isatty()
        kwargs |= {"mininterval": 0.2 if lively else _SLOW, "leave": False, "bar_format": _FORMAT}
        super().__init__(*args, **kwargs)  # pyright: ignore[reportUnknownMemberType]
