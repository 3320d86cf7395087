"""Which weights stand in: the installed ones, or those that `--stand-in` named, now or at an earlier start."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.cache import cache_folder
from local.model_server.standin import GO_BACK, StandIn, StandInMissing, read_stand_in

DEFAULT = "default"
"""What `--stand-in` takes for the installed weights."""
_REPOSITORY = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?::(?P<quantization>[\w.-]+))?", re.ASCII)
_REMEMBERED = "stand-in.json"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The model that stands in."""

    model: StandIn
    path: Path | None
    """`None`: the installed weights."""
    said: str | None
    """What `--stand-in` said; `None`: nothing."""
    remembered: Path | None
    """The file for `remember`."""

    @property
    def name(self) -> str:
        """The name for people."""
        return self.model.model_id.rpartition("/")[2] if self.path is None else self.path.stem

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user must know about them."""
        if self.said is None:
            return ()
        return (
            f"{self.name} stands in because of --stand-in {self.said}. {self.remembered} remembers it for the next "
            f"start. To go back to the small model: {GO_BACK}",
        )

    def remember(self) -> None:
        """Keep the choice for the next start. Call it when the model serves: one that cannot is not kept."""
        if self.remembered is not None:
            self.remembered.parent.mkdir(parents=True, exist_ok=True)
            written = json.dumps({"stand-in": self.said, "path": str(self.path)})
            self.remembered.write_text(written, encoding="utf-8")


def choose_weights(given: str | None, environment: Mapping[str, str], say: Callable[[str], None]) -> Weights:
    """Return the weights that `--stand-in` names (`given`), else those that `remember` kept. `default` forgets those.

    Args:
        given: a GGUF file, a repository of the Hub with or without a quantization, or `default`.
        environment: variables of the Hub, and its token.
        say: takes lines about a download.

    Raises:
        StandInMissing: they are not there, or cannot stand in.
        infra.planning.repository.HubError: the Hub does not give them.
    """
    remembered = cache_folder() / _REMEMBERED
    last = _recall(remembered) if given is None else None
    said = given if last is None else last.said
    if said is None or said == DEFAULT:
        remembered.unlink(missing_ok=True)
        return small_weights()
    path = last.path if last is not None and last.path.is_file() else _path(said, environment, say)
    return Weights(model=read_stand_in(path), path=path, said=said, remembered=remembered)


def small_weights() -> Weights:
    """Return the installed weights.

    Raises:
        StandInMissing: they are not there.
    """
    return Weights(model=read_stand_in(), path=None, said=None, remembered=None)


@dataclass(frozen=True)
class _Last:
    said: str
    path: Path


def _recall(remembered: Path) -> _Last | None:
    try:
        found = json.loads(remembered.read_text(encoding="utf-8"))
        return _Last(str(found["stand-in"]), Path(found["path"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise StandInMissing(f"{remembered} cannot be read. Remove it, or go back with {GO_BACK}") from None


def _path(said: str, environment: Mapping[str, str], say: Callable[[str], None]) -> Path:
    path = Path(said).expanduser()
    if path.is_file():
        return path.resolve()
    named = _REPOSITORY.fullmatch(said)
    if named is None or said.endswith(".gguf"):
        raise StandInMissing(
            f"--stand-in {said}: there is no such file. Give a GGUF file, or a repository of the Hub with GGUF files, "
            f"such as owner/name:Q4_K_M; or go back with {GO_BACK}"
        )
    # Imported here: the installed weights need nothing from the Hub, whose library takes time and memory.
    from local.hub_weights import fetch_weights

    return fetch_weights(named["repo"], named["quantization"], environment, say)
