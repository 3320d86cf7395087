"""The stack that the program runs for: its name, type and configuration, its provider, and its gateway's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi.runtime import config, invoke_async

from infra.configuration import ConfigurationError, Problem, Secret, Source

DEFAULT_GATEWAY = "gateway"
"""The gateway's stack of a service that names no other."""

StackConfig = Mapping[str, str | Secret]


def stack_config() -> StackConfig:
    """Return all values by key, without the project's namespace; secrets as `Secret`. `pulumi.Config` cannot list
    undeclared keys."""
    prefix = f"{pulumi.get_project()}:"
    values: dict[str, str] = {**config.get_config_env(), **config.CONFIG.get()}
    secret = {key for key in values if config.is_config_secret(key)} | set(config.get_config_secret_keys_env())
    return {
        key.removeprefix(prefix): Secret(value) if key in secret else value
        for key, value in values.items()
        if key.startswith(prefix)
    }


def full_name(stack: str | None = None) -> str:
    """Return `organization/project/stack` of a stack of this project. `None`: this stack."""
    name = pulumi.get_stack() if stack is None else stack
    return name if "/" in name else f"{pulumi.get_organization()}/{pulumi.get_project()}/{name}"


async def keep_type(kind: str) -> pulumi.Resource:
    """Keep the type of the stack's configuration in its state, in the returned resource.

    Raises:
        RunError: the stack had the other type. All of its resources would be replaced by others.
    """
    stash = pulumi.Stash("type", input=kind)
    kept = await stash.output.future()
    if kept is not None and kept != kind:
        raise pulumi.RunError(
            f"stack config configuration: its type is {kind}, but this stack is a {kept}, and a stack keeps its type. "
            "Set configuration back, and deploy this one in another stack: pulumi stack init NAME"
        )
    return stash


def aws_provider(region: pulumi.Input[str], tags: Mapping[str, str], *, after: pulumi.Resource) -> aws.Provider:
    """Return the only provider of a stack: in this region, with these tags on everything that can have tags. It
    uses the stack's `aws:profile`. Everything that it creates is deleted before `after`.

    Raises:
        RunError: `aws:region` is set to another region. If the region is an output, raised while deploying.
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
    """Return the AWS profile in `aws:profile`; `None`: the caller's own credentials are used."""
    return pulumi.Config("aws").get("profile")


async def gateway_outputs(given: str | None, source: Source) -> tuple[str, pulumi.Output[Any]]:
    """Return the full name of a gateway's stack, and its output `connection`. `given`: the name that the user gave.

    Raises:
        ConfigurationError: the stack does not exist, is not deployed, or is not a gateway.
    """
    stack = full_name(given or DEFAULT_GATEWAY)
    try:
        # A StackReference that cannot be read would end the program before it says anything.
        read = await invoke_async("pulumi:pulumi:readStackOutputs", {"name": stack})
    except Exception as error:  # what the engine answers has no type of its own
        wrong = _unread(str(error).rpartition("returned an error: ")[2])
    else:
        wrong = _no_gateway(stack, read["outputs"])
    if wrong is not None:
        found = stack if stack == given else f"{given or 'no gateway'}, which means the stack {stack}"
        line = source.lines.get(("gateway",))
        problem = Problem(where="gateway", line=line, found=found, rule=wrong[0], remedy=wrong[1])
        raise ConfigurationError(source.name, [source.placed(problem)])
    return stack, pulumi.StackReference("gateway", stack_name=stack).get_output("connection")


def _no_gateway(stack: str, outputs: Mapping[str, Any]) -> tuple[str, str] | None:
    """(rule, remedy) for a stack without `connection`."""
    name_it = "name the gateway's stack: pulumi config set gateway NAME"
    if "connection" in outputs:
        return None
    if stack == full_name():
        rule = "this is the stack of the service itself, and a gateway needs its own stack"
        return rule, f"{name_it}; or deploy the service in another stack: pulumi stack init NAME"
    if "hourly_price" in outputs:
        return "this is the stack of another service, not of a gateway", name_it
    rule = "this stack has no output `connection`: it is not a gateway, or its first `pulumi up` did not succeed"
    return rule, f"deploy the gateway first: pulumi up --stack {stack}; or {name_it}"


def _unread(why: str) -> tuple[str, str]:
    """(rule, remedy) for a stack that the engine cannot read."""
    if "unknown stack" in why:
        rule = "a service needs a gateway, and this stack does not exist"
    else:
        rule = f"a service reads the outputs of its gateway's stack, and they cannot be read: {why}"
    remedy = (
        "deploy the gateway first, or list your stacks (pulumi stack ls --all) and run pulumi config set gateway NAME"
    )
    return rule, remedy


def _same_region(region: str, given: str | None) -> str:
    if given is not None and given != region:
        raise pulumi.RunError(
            f"stack config aws:region: found {given}, but the configuration of the gateway says {region}; remove the "
            "setting: pulumi config rm aws:region"
        )
    return region
