"""A dynamic resource: code of the project that the engine runs in a plugin of its own."""

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, ResourceProvider


class _Provider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_="noted", outs={**props, "answer": f"noted {props['of']}"})


class Noted(pulumi.dynamic.Resource):
    answer: pulumi.Output[str]

    def __init__(self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(_Provider(), name, props, opts)
