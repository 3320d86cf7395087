"""The model server of a container: which one it is, which model it loads, where it listens. Read from the image, the
environment and the command line, with the table in `infra.planning.known_servers`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from infra.planning.known_servers import SERVERS
from infra.planning.plan import Container
from infra.planning.server_limits import Limits, kept_folders, read_limits
from infra.planning.server_options import Options, read_options, writes_text
from infra.planning.servers import LOCAL, Server
from infra.planning.shell_commands import Command, read_commands
from infra.planning.shell_words import Word

_PYTHON = re.compile(r"python[0-9.]*")
_PYTHON_VALUES = ("-X", "-W")
_OLLAMA = ("pull", "run", "create", "cp")
_HOST = re.compile(r"(?:[a-z]+://)?(?P<host>\[[^]]*\]|[^:/]*)(?::(?P<port>[0-9]+))?/?")
_LOCAL_NAMES = (LOCAL, "localhost", "::1", "[::1]")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model server, and the model as it loads it."""

    server: Server | None = None
    """`None`: not known."""
    model: str | None
    """A repository or a folder, as it is written; `None`: not given."""
    revision: str | None
    file: str | None = None
    """The file of the repository that has the weights; `None`: not given."""
    quantize: str | None
    """How the server quantizes the weights while it loads them."""
    gpus: int | None
    """The number of GPUs that hold one model; `None`: all GPUs of the machine."""
    names: tuple[str, ...] | None = None
    """The model names that it answers to; `None`: any name, or not known."""
    limits: Limits = field(default_factory=Limits)
    kept: tuple[str, ...] | None = None
    """The folders of the container in one of which it keeps the weights that it fetches; `None`: not known."""
    port: int | None = None
    """The port that it listens on; `None`: not known."""
    local: bool = False
    """Whether it listens only on the container's own address 127.0.0.1."""
    generates: bool = True
    """Whether it writes text, as far as is known."""
    unread: tuple[str, ...] = ()
    """Words and files that can have more options, and that only the machine can read."""
    others: tuple[str, ...] = ()
    """The programs of a command line in which no known server is, as they are written."""


@dataclass(frozen=True, kw_only=True)
class _Found:
    server: Server
    options: Options
    environment: Mapping[str, str | None]
    by_command: bool
    own_image: bool


def loaded_model(container: Container) -> Loaded:
    """Return the model server of a container. The command line decides; without one, the image does."""
    of_image = server_of_image(container.image)
    environment: dict[str, str | None] = {} if of_image is None else dict(of_image.image_variables)
    environment |= {name: value if isinstance(value, str) else None for name, value in container.environment}
    environment |= dict.fromkeys(container.gpu_count_variables)
    commands = read_commands(container.command, environment)
    found = [one for command in commands if (one := _recognise(command, of_image))]
    if not container.command and of_image is not None:
        options = read_options(of_image, ())
        found = [
            _Found(server=of_image, options=options, environment=environment, by_command=False, own_image=True),
        ]
    chosen = _choose(found, container.port)
    if chosen is not None:
        return _loaded(chosen, commands)
    # A server that is not known usually gets its model by the variable that TGI has for it.
    return Loaded(
        model=environment.get("MODEL_ID"),
        revision=environment.get("REVISION"),
        quantize=environment.get("QUANTIZE"),
        gpus=None,
        others=tuple(" ".join(word.text for word in command.words) for command in commands),
    )


def server_of_image(image: str) -> Server | None:
    """Return the server whose own image this is."""
    name = re.sub(r":[^/:]*$", "", image.partition("@")[0]).lower()
    return next((server for server in SERVERS if re.fullmatch(rf"(?:.*/)?(?:{server.images})", name)), None)


def _recognise(command: Command, of_image: Server | None) -> _Found | None:
    """Return the known server that a command starts."""
    program = PurePosixPath(command.words[0].text).name
    words, module = command.words[1:], ""
    if _PYTHON.fullmatch(program):
        program, module, words = _run_by_python(command.words)
    for server in SERVERS:
        taken = _taken(server, program, module, words, own_image=of_image is server)
        if taken is not None:
            return _Found(
                server=server,
                options=read_options(server, words[taken:]),
                environment=command.environment,
                by_command=True,
                own_image=of_image is server,
            )
    return None


def _run_by_python(words: Sequence[Word]) -> tuple[str, str, Sequence[Word]]:
    """Return the script or the module that Python runs, and what follows it."""
    index = 1
    while index < len(words) and words[index].text.startswith("-"):
        option = words[index].text
        if option == "-m" and index + 1 < len(words):
            return "", words[index + 1].text, words[index + 2 :]
        index += 2 if option in _PYTHON_VALUES else 1
    return (PurePosixPath(words[index].text).name if index < len(words) else ""), "", words[index + 1 :]


def _taken(server: Server, program: str, module: str, words: Sequence[Word], *, own_image: bool) -> int | None:
    """Return how many words the server's subcommand has; `None`: another program."""
    if module:
        return 0 if any(f"{module}.".startswith(f"{known}.") for known in server.modules) else None
    if own_image and program in server.scripts:
        return 0
    for known, *subcommands in server.programs:
        if program == known and [word.text for word in words[: len(subcommands)]] == subcommands:
            return len(subcommands)
    return None


def _choose(found: Sequence[_Found], port: int) -> _Found | None:
    """Return the server that clients reach: the only one, or the one that listens on the container's port."""
    if len(found) > 1:
        found = [one for one in found if _address(one)[0] == port] or found
    return found[0] if len({one.server.name for one in found}) == 1 else None


def _loaded(found: _Found, commands: Sequence[Command]) -> Loaded:
    server, options, environment = found.server, found.options, found.environment
    model = _first(
        options.arguments[0].text if server.model_first and options.arguments else None,
        _text(options.last(server.model_options)),
        *(environment.get(name) for name in server.model_variables),
    )
    port, local = _address(found)
    return Loaded(
        server=server,
        model=model,
        revision=_first(
            _text(options.last(server.revision)), *(environment.get(name) for name in server.revision_variables)
        ),
        quantize=_first(
            _text(options.last(server.quantize)), *(environment.get(name) for name in server.quantize_variables)
        ),
        file=_text(options.last(server.file_options)),
        gpus=_gpus(found),
        limits=read_limits(server, options, environment),
        kept=kept_folders(server, options, environment, own_image=found.own_image),
        names=_names(found, model, commands),
        port=port,
        local=local,
        generates=writes_text(server, options, environment),
        unread=options.unread,
    )


def _gpus(found: _Found) -> int | None:
    """Return the number of GPUs that hold one model; `None`: all, or as many as only the machine knows."""
    server, options, environment = found.server, found.options, found.environment
    if server.sharded is not None:
        option, variable = server.sharded
        if _first(_text(options.last((option,))), environment.get(variable)) == "false":
            return 1
    product = 1
    written = [_text(options.last(names)) for names in server.parallel]
    written += [environment.get(name) for name in server.parallel_variables] if not any(written) else []
    if server.spread == "all" and not any(written):
        return None
    for count in written:
        if count is not None and not re.fullmatch(r"[1-9][0-9]{0,3}", count):
            return None
        product *= int(count or 1)
    return product


def _names(found: _Found, model: str | None, commands: Sequence[Command]) -> tuple[str, ...] | None:
    """Return the model names that a server answers to, if it is certain."""
    server, options = found.server, found.options
    if server.names != "own" or options.unread or options.each(server.adapters):
        return None
    if variable := next((name for name in server.name_variables if name in found.environment), None):
        names = found.environment[variable]
        return None if names is None else tuple(name.strip() for name in names.split(","))
    given = options.each(server.name_options)
    if server.name == "Ollama":
        given = [word for command in commands for word in _pulled(command)]
    if given:
        return tuple(word.text for word in given) if all(word.known for word in given) else None
    return None if model is None or "$" in model or "`" in model or server.name == "Ollama" else (model,)


def _pulled(command: Command) -> list[Word]:
    """Return the model that an `ollama` command fetches or makes."""
    words = [word for word in command.words if not word.text.startswith("-")]
    if len(words) < 3 or PurePosixPath(words[0].text).name != "ollama" or words[1].text not in _OLLAMA:
        return []
    return [Word("", known=False)] if words[1].text == "cp" else [words[2]]


def _address(found: _Found) -> tuple[int | None, bool]:
    """Return the port, if it is certain, and whether the server certainly listens on 127.0.0.1 only."""
    server = found.server
    host = _setting(found, server.host_options, server.host_variables, server.host)
    port = _setting(found, server.port_options, server.port_variables, str(server.port))
    parts = _HOST.fullmatch(host or "")
    if host is not None and parts is not None and server.host_variables:
        host, port = parts["host"], parts["port"] or port
    if host is None and not server.port_options and not server.port_variables:
        port = None
    is_port = port is not None and port.isascii() and port.isdigit() and len(port) < 6
    return int(port) if port is not None and is_port else None, found.by_command and host in _LOCAL_NAMES


def _setting(found: _Found, options: Sequence[str], variables: Sequence[str], default: str) -> str | None:
    """Return what the command line, else the environment, else the server says; `None`: not certain. Another image than
    the server's own can set variables too."""
    if word := found.options.last(options):
        return word.text if word.known else None
    for name in variables:
        if name in found.environment:
            return found.environment[name]
    return None if found.options.unread or (variables and not found.own_image) else default


def _text(word: Word | None) -> str | None:
    return None if word is None else word.text


def _first(*values: str | None) -> str | None:
    return next((value for value in values if value), None)
