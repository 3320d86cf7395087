"""What the program knows about a model server: how it is recognised, and what it does by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from infra.planning.server_memory import Memory

LOCAL, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 (what servers listen on)


@dataclass(frozen=True, kw_only=True)
class ServerMetrics:
    """What a model server says about itself, in Prometheus' text format: a path, and the names of metrics there.

    A metric can have several lines with different labels; their sum counts. `None`: it does not say this.
    """

    path: str = "/metrics"
    running: str | None = None
    """The requests that it works on: a gauge."""
    waiting: str | None = None
    """The requests in its queue: a gauge."""
    requests: str | None = None
    """The requests that it finished: a counter."""
    tokens: str | None = None
    """The tokens that it generated: a counter."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A model server."""

    name: str
    images: str
    """A regular expression of its images, without tag. It must match the whole name, or what follows a `/`."""
    programs: tuple[tuple[str, ...], ...] = ()
    """Its programs, each with the subcommand that serves."""
    modules: tuple[str, ...] = ()
    """Its Python modules for `python -m`: a package stands for its modules."""
    scripts: tuple[str, ...] = ()
    """Files that are this server only in its own image."""

    port: int
    """The port that it listens on by default."""
    port_options: tuple[str, ...] = ("--port",)
    port_variables: tuple[str, ...] = ()
    host: str = EVERYWHERE
    """The address that it listens on by default."""
    host_options: tuple[str, ...] = ("--host",)
    host_variables: tuple[str, ...] = ()
    """Variables with the address, or with address and port: `0.0.0.0:11434`."""
    image_variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables that its own images set."""

    health: str
    """The path that answers GET with 200 if, and only if, it can serve."""
    model_health: str | None = None
    """The path that answers GET with 200 when one model is there, with `{model}`, and before that with 404."""
    prefix: str | None = "/v1"
    """The path of its OpenAI API; `None`: it has none."""

    generates: bool = True
    """Whether it writes text at all. A server of embeddings answers with vectors and scores."""
    pooling: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Options with which it writes no text, each with its values for that; without values, the option alone says it."""
    pooling_variables: tuple[str, ...] = ()
    """Variables that are like such an option, unless they switch it off."""

    metrics: ServerMetrics | None = None
    """`None`: it has none of these, or has them at another port."""

    spread: Literal["all", "one"]
    """Whether it puts a model onto all GPUs of a machine by default, or onto one."""
    parallel: tuple[tuple[str, ...], ...] = ()
    """Options with a number of GPUs. The numbers of several options are multiplied."""
    parallel_variables: tuple[str, ...] = ()
    sharded: tuple[str, str] | None = None
    """The option and the variable that limit it to one GPU if they are `false`."""
    caches: tuple[str, ...] = ("/root/.cache/huggingface",)
    """The folders of the container in which it keeps weights that it has fetched. Its versions use different ones."""
    cache_options: tuple[str, ...] = ()
    """Options that name another folder for them."""
    cache_variables: tuple[str, ...] = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME")
    """Variables that name another folder for them. The first one that is set counts."""
    memory: Memory | None = None
    """How it divides the memory of a GPU; `None`: not known."""
    spills: bool = False
    """Whether it puts into main memory what does not fit onto the GPUs."""

    model_first: bool = False
    """Whether the first argument without a name is the model."""
    model_options: tuple[str, ...] = ()
    model_variables: tuple[str, ...] = ()
    file_options: tuple[str, ...] = ()
    """Options with the file of the repository that has the weights."""
    revision: tuple[str, ...] = ("--revision",)
    revision_variables: tuple[str, ...] = ()
    quantize: tuple[str, ...] = ()
    quantize_variables: tuple[str, ...] = ()
    name_options: tuple[str, ...] = ()
    """Options with the model names that it answers to."""
    name_variables: tuple[str, ...] = ()
    """Variables with these names, separated by commas."""
    adapters: tuple[str, ...] = ()
    """Options with adapters (LoRA), which have names of their own."""
    names: Literal["own", "any", "varies"] = "varies"
    """Whether it answers only to its own model names. If no option names them, that is the model as it is written."""
    lists: tuple[str, ...] = ()
    """Options that take several words."""
    files: tuple[str, ...] = ()
    """Options that name a file with more options."""
