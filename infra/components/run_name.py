"""Whether a run name is free, asked before the run is claimed, so that a refusal can name the stack that has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import dynamic

from infra.components.dynamic_provider import DynamicProvider, dynamodb
from infra.planning.model_names import read_registered
from infra.planning.table_items import CLAIM
from infra.preflight.aws_errors import aws_failures
from infra.preflight.registry import Queried, registry_items
from infra.preflight.run_name import left_behind, taken

_ASKED_AGAIN = ("run", "table", "region")


class RunNameProvider(DynamicProvider):
    """Refuses to be created when another stack has the run name, and changes nothing.

    The claim itself is a table item that the provider writes only if it does not exist. So two stacks never have one
    name, even if both find it free here. But then the error comes from AWS, and does not say which stack has the name.
    """

    def __init__(self, client: Callable[[str, str | None], Queried] = dynamodb) -> None:
        super().__init__()
        self._client = client

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Refuse a claim of this stack too. The engine makes this resource before the claim, so an earlier stack of the
        same name, whose state was removed, left it."""
        if self._check(props) == props["owner"]:
            left = left_behind(str(props["run"]), str(props["owner"]), str(props["table"]), str(props["region"]))
            raise self.refusal(RuntimeError(f"run name: {left}")) from None
        return dynamic.CreateResult(id_=f"{props['table']} {props['run']}", outs=props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        names = (*_ASKED_AGAIN, "owner", "profile")
        return dynamic.DiffResult(changes=any(_olds.get(name) != _news.get(name) for name in names))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        """A stack that was renamed has its claim under the old name, and keeps it."""
        if any(_olds.get(name) != _news.get(name) for name in _ASKED_AGAIN):
            self._check(_news)
        return dynamic.UpdateResult(outs=_news)

    def _check(self, props: dict[str, Any]) -> str | None:
        """Return the stack that has the name, which is this one; `None`: it is free, or the table does not answer."""
        run = str(props["run"])
        try:
            table = self._client(str(props["region"]), props.get("profile"))
            claims = read_registered(registry_items(table, str(props["table"]), f"{CLAIM}{run}")).runs
        except aws_failures():
            return None
        owner = claims.get(run)
        if owner not in (None, props["owner"]):
            raise self.refusal(RuntimeError(f"run name: {taken(run, str(owner))}")) from None
        return owner


@dataclass(frozen=True, kw_only=True)
class RunNameArgs:
    """The name, and the stack that wants it."""

    run: str
    owner: str
    """Full name of the stack."""
    region: pulumi.Input[str]
    table: pulumi.Input[str]
    profile: str | None
    """The AWS profile to ask with; `None`: the caller's own credentials."""


class RunName(dynamic.Resource):
    """Created before the claim, which depends on it."""

    def __init__(self, name: str, args: RunNameArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs: dict[str, pulumi.Input[Any]] = {
            "run": args.run,
            "owner": args.owner,
            "region": args.region,
            "table": args.table,
            **({} if args.profile is None else {"profile": args.profile}),
        }
        super().__init__(RunNameProvider(), name, inputs, opts)
