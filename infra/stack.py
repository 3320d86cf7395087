"""The stack that the program runs for: its name, type and configuration, its provider, and its gateway's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi.runtime import config

from infra.configuration import Secret

StackConfig = Mapping[str, str | Secret]


def stack_config() -> StackConfig:
    """Values by key, without the project's namespace; secret ones as `Secret`. Undeclared keys too, which
    `pulumi.Config` has no way to list."""
    prefix = f"{pulumi.get_project()}:"
    values: dict[str, str] = {**config.get_config_env(), **config.CONFIG.get()}
    secret = {key for key in values if config.is_config_secret(key)} | set(config.get_config_secret_keys_env())
    return {
        key.removeprefix(prefix): Secret(value) if key in secret else value
        for key, value in values.items()
        if key.startswith(prefix)
    }


def full_name(stack: str | None = None) -> str:
    """`organization/project/stack` of a stack of this project; one that has it all is as it is. `None`: this stack."""
    name = pulumi.get_stack() if stack is None else stack
    return name if "/" in name else f"{pulumi.get_organization()}/{pulumi.get_project()}/{name}"


async def keep_type(kind: str) -> pulumi.Resource:
    """Keeps the type of the stack's configuration in its state, in what is returned.

    Raises:
        RunError: the stack had the other type. Its resources would all be deleted, and others made.
    """
    stash = pulumi.Stash("type", input=kind)
    kept = await stash.output.future()
    if kept is not None and kept != kind:
        raise pulumi.RunError(
            f"stack config configuration: its type is {kind}, and this stack is a {kept}; a stack keeps its type. "
            "Set configuration back, and use another stack for this one: pulumi stack init NAME"
        )
    return stash


def aws_provider(region: pulumi.Input[str], tags: Mapping[str, str], *, after: pulumi.Resource) -> aws.Provider:
    """The one provider of a stack: in this region, with these tags on everything that takes tags. It keeps the stack's
    `aws:profile`; `aws:region` could only repeat what the gateway says. Everything of it is deleted before `after`.

    Raises:
        RunError: `aws:region` says something else; while deploying, where the region is an output.
    """
    given = pulumi.Config("aws").get("region")
    return aws.Provider(
        "aws",
        region=pulumi.Output.from_input(region).apply(lambda known: _same_region(known, given)),
        profile=aws_profile(),
        default_tags=aws.ProviderDefaultTagsArgs(tags=tags),
        opts=pulumi.ResourceOptions(depends_on=[after]),
    )


def aws_profile() -> str | None:
    """The AWS profile that the stack names as `aws:profile`; `None`: the caller's own credentials are used."""
    return pulumi.Config("aws").get("profile")


def gateway_outputs(stack: str) -> pulumi.Output[Any]:
    """The output `connection` of a gateway's stack, by its full name; None where it has none."""
    return pulumi.StackReference("gateway", stack_name=stack).get_output("connection")


def _same_region(region: str, given: str | None) -> str:
    if given is not None and given != region:
        raise pulumi.RunError(
            f"stack config aws:region: found {given}, and the gateway is in {region}, as its configuration says; "
            "remove it: pulumi config rm aws:region"
        )
    return region
