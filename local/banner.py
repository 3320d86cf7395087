"""The text that a user reads: the plan of each configuration, the addresses of its run, and what to paste."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.planning.catalog import PRICES_AS_OF, PRICES_REGION
from infra.planning.plan import Offer, ServicePlan

SHOWN_OFFERS = 3
QUESTION = "What is your favourite condiment?"
LENGTH = 60
"""Tokens that the example requests ask for: a few seconds on a CPU."""


_INDENT = 11
"""Columns before the text about a run."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run, as it is served here."""

    configuration: str
    """Path of the configuration."""
    plan: ServicePlan
    server: str
    """A description of the server that answers."""
    speaks: str
    """`tgi`, `openai`, `tei` or `http`: the API at the address of the run."""

    @property
    def chats(self) -> bool:
        """Whether it has a model for chats."""
        return self.plan.model is not None and self.speaks != "tei"


def banner(
    runs: Sequence[Run], *, port: int, key: str | None, columns: int | None = None, notes: Sequence[str] = ()
) -> str:
    """Return everything that a user needs when the runs are served.

    `notes` are about all runs.
    `columns` is the width of the terminal. Prose is broken to this width; `None`: it is not broken. Commands to paste
    are never broken.
    """
    page = f"{_page(runs)}: http://127.0.0.1:{port}/"
    prose = [page, ""]
    prose += [line for run in runs for line in (*_described(run, port), "")]
    prose += [line for note in notes for line in (note, "")]
    prose += _openai_address(runs, port)
    lines = [part for line in prose for part in _broken(line, columns)]
    if key is not None:
        lines += [f"API key (only for this start, shown once): {key}", ""]
    for run in runs:
        lines += [*_curl(run, port, key), ""]
    for run in sorted(runs, key=lambda run: not run.chats):
        if run.plan.model is not None:
            lines += [*_python(run.plan.model.name, port, key, chats=run.chats), ""]
            break
    # The page again: a terminal has scrolled its first line away.
    return "\n".join([*lines, page, "Ctrl-C ends everything."])


def _page(runs: Sequence[Run]) -> str:
    if any(run.chats for run in runs):
        return "Open this page in a browser to chat with the models"
    return "Open this page in a browser to see the runs"


def _broken(line: str, columns: int | None) -> list[str]:
    if columns is None or len(line) < columns:
        return [line]
    indent = _INDENT if line.startswith(" ") else 2
    return textwrap.wrap(
        line,
        max(columns - 1, 2 * _INDENT),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _described(run: Run, port: int) -> Iterator[str]:
    yield f"{run.plan.run}  ({run.configuration})"
    for group in run.plan.groups:
        which = f"group {group.group}: " if run.plan.others else ""
        yield f"  on AWS   {which}{group.container.image}, on {_offers(group.offers)}"
    yield f"           (list prices in {PRICES_REGION} on {PRICES_AS_OF})"
    yield f"  here     {run.server}{f', for group {run.plan.group}' if run.plan.others else ''}"
    yield f"  run      http://127.0.0.1:{port}/services/{run.plan.run}/ and http://{run.plan.run}.localhost:{port}/"
    if run.plan.model is not None:
        yield f"  model    {run.plan.model.name}"
    for note in run.plan.notes:
        yield f"  note     {note}"
    if run.plan.lays:
        yield "  note     Here, files and repos have no effect, because the commands do not run."


def _offers(offers: Sequence[Offer]) -> str:
    shown = [_offer(offer) for offer in offers[:SHOWN_OFFERS]]
    if len(offers) > SHOWN_OFFERS:
        shown.append(f"{len(offers) - SHOWN_OFFERS} more")
    return " or ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _offer(offer: Offer) -> str:
    gpus = f"{offer.gpu_count} x {offer.gpu}" if offer.gpu_count > 1 else offer.gpu
    return f"{offer.instance_type} ({gpus}, {offer.gpu_memory_gb:g} GB, ${offer.price:.2f} an hour)"


def _openai_address(runs: Sequence[Run], port: int) -> list[str]:
    if not any(run.plan.model for run in runs):
        return ["No configuration has a `model`, so the OpenAI API serves no model.", ""]
    base = f"http://127.0.0.1:{port}"
    by_name = f"http://gateway.localhost:{port} (in browsers and curl)"
    return [f"OpenAI API: {base}/v1, also {base} and {by_name}", *_shared_models(runs), ""]


def _shared_models(runs: Sequence[Run]) -> Iterator[str]:
    by_model: dict[str, list[str]] = {}
    for run in runs:
        if run.plan.model is not None:
            by_model.setdefault(run.plan.model.name, []).append(run.plan.run)
    for model, names in by_model.items():
        if len(names) > 1:
            yield f"{model} is the model of {' and '.join(names)}, which share its requests."


def _curl(run: Run, port: int, key: str | None) -> list[str]:
    address = f"http://127.0.0.1:{port}/services/{run.plan.run}"
    authorization = [f"    -H {shlex.quote(f'Authorization: Bearer {key}')}"] if key is not None else []
    if run.speaks == "http":
        return _joined([f"curl -i {address}/", *authorization])
    if run.speaks == "tei":
        path = "/embed"
        body = {"inputs": [QUESTION]}
    elif run.speaks == "openai" and run.plan.model is not None:
        path = f"{run.plan.model.prefix.rstrip('/')}/chat/completions"
        message = {"role": "user", "content": QUESTION}
        body = {"model": run.plan.model.name, "messages": [message], "max_tokens": LENGTH}
    else:
        path = "/generate"
        body = {"inputs": f"<s>[INST] {QUESTION}[/INST]", "parameters": {"max_new_tokens": LENGTH}}
    return _joined(
        [
            f"curl {shlex.quote(address + path)}",
            "    -X POST",
            f"    -d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
            "    -H 'Content-Type: application/json'",
            *authorization,
        ]
    )


def _joined(parts: Sequence[str]) -> list[str]:
    """Return a command on several lines that a shell reads as one."""
    return [*(f"{part} \\" for part in parts[:-1]), parts[-1]]


def _python(model: str, port: int, key: str | None, *, chats: bool) -> list[str]:
    client = [
        "# pip install openai",
        "from openai import OpenAI",
        "",
        f'client = OpenAI(base_url="http://127.0.0.1:{port}/v1", api_key={json.dumps(key or "none")})',
    ]
    name, question = json.dumps(model, ensure_ascii=False), json.dumps(QUESTION)
    if not chats:
        return [
            *client,
            f"answer = client.embeddings.create(model={name}, input={question})",
            "print(answer.data[0].embedding)",
        ]
    return [
        *client,
        "completion = client.chat.completions.create(",
        f"    model={name},",
        f'    messages=[{{"role": "user", "content": {question}}}],',
        f"    max_tokens={LENGTH},",
        ")",
        "print(completion.choices[0].message.content)",
    ]
