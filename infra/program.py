"""The Pulumi program: from stack config to outputs, by way of configuration, plan and component."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi

from infra.components.connection import checked_connection
from infra.components.domain import find_zone
from infra.components.existing_network import find_network
from infra.components.gateway import Gateway, GatewayArgs
from infra.components.machine_image import find_image
from infra.components.network import available_zones
from infra.components.service import Service, ServiceArgs
from infra.components.subnets import find_subnets
from infra.configuration import (
    ConfigurationError,
    GatewayConfiguration,
    Secret,
    ServiceConfiguration,
    Source,
    apply_settings,
    load,
    read_settings,
)
from infra.ending import refusal_of_aws
from infra.outputs import gateway_next, service_outputs
from infra.packaging import FunctionPackage, PackagingError, build_function_zip
from infra.packaging.local_copy import stored
from infra.planning import (
    ChatTemplate,
    GatewayPlan,
    ModelRepository,
    ResolveChatTemplate,
    ServicePlan,
    Weigh,
    Weights,
    boot,
    offers_table,
    plan_gateway,
    plan_service,
    resolve_with,
)
from infra.planning.adapter_layer import published_layer
from infra.planning.resource_tags import GATEWAY_TAG, RUN_TAG, STACK_TAG
from infra.preflight import Clients, Place, real_clients, refuses, report, run_preflight
from infra.stack import (
    StackConfig,
    aws_profile,
    aws_provider,
    full_name,
    gateway_outputs,
    keep_type,
    stack_config,
)

ROOT = Path(__file__).parents[1]
Outputs = Mapping[str, pulumi.Input[Any]]


def _resolve_on_the_hub(wanted: ModelRepository) -> ChatTemplate:
    from infra.planning.hub import open_on_hub

    return resolve_with(open_on_hub(os.environ))(wanted)


def _weigh_on_the_hub(wanted: ModelRepository) -> Weights | None:
    from infra.planning.hub_weights import weigh_on_hub

    return weigh_on_hub(os.environ)(wanted)


def _package() -> FunctionPackage:
    return build_function_zip(root=ROOT)


def _clients(profile: str | None) -> Clients:
    return real_clients(os.environ, profile=profile)


@dataclass(frozen=True, kw_only=True)
class Means:
    """What the program uses besides Pulumi. `make plan` and tests use their own."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    """The caller's environment, for variables that the configuration names without a value."""
    resolve: ResolveChatTemplate = _resolve_on_the_hub
    load: Callable[[str], ServiceConfiguration | GatewayConfiguration] = load
    """Reads a configuration."""
    weigh: Weigh = _weigh_on_the_hub
    """Finds how large a model is, and its architecture."""
    package: Callable[[], FunctionPackage] = _package
    """Makes the function's zip."""
    store: Callable[[Mapping[str, bytes]], Mapping[str, Path]] = stored
    """Writes what is uploaded to files of this machine."""
    clients: Callable[[str | None], Clients] = _clients
    """Whom preflight asks, with an AWS profile or the caller's own credentials."""


async def deploy(means: Means) -> Outputs:
    """Deploy what the stack's configuration says, and return the stack's outputs.

    Raises:
        RunError: with a report for the user.
    """
    try:
        return await _deploy(stack_config(), means)
    except (ConfigurationError, PackagingError) as error:
        raise pulumi.RunError(str(error)) from None
    except Exception as error:
        if refusal := refusal_of_aws(error):
            raise refusal from None
        raise


async def _deploy(config: StackConfig, means: Means) -> Outputs:
    path = config.get("configuration")
    if path is None:
        read_settings(config, "service")
        raise pulumi.RunError("stack config configuration is not set: run `pulumi config set configuration PATH`")
    configuration = means.load(path.reveal() if isinstance(path, Secret) else path)
    if isinstance(configuration, GatewayConfiguration):
        settings = read_settings(config, "gateway")
        configuration = apply_settings(configuration, settings)
        return await _deploy_gateway(plan_gateway(configuration, name=pulumi.get_stack(), settings=settings), means)
    settings = read_settings(config, "service")
    configuration = apply_settings(configuration, settings)
    plan = plan_service(
        configuration,
        run=pulumi.get_stack(),
        environment=means.environment,
        resolve=means.resolve,
        settings=settings,
        weigh=means.weigh,
    )
    return await _deploy_service(plan, configuration.source, means)


async def _deploy_gateway(plan: GatewayPlan, means: Means) -> Outputs:
    await _ask(plan, means)
    package = means.package()
    kept = await keep_type("gateway")
    _say(plan.notes)
    tags = {STACK_TAG: full_name(), GATEWAY_TAG: plan.name, **dict(plan.tags)}
    provider = aws_provider(plan.region, tags, after=kept)
    if plan.vpc_id is None or plan.subnet_ids is None:
        network = available_zones(provider)
    else:
        network = find_network(plan.vpc_id, plan.subnet_ids, region=plan.region, stack=full_name(), provider=provider)
    gateway = Gateway(
        plan.name,
        GatewayArgs(
            plan=plan,
            layer=plan.adapter_layer or published_layer(plan.region) or "",
            code=package.path,
            handler=package.handler,
            network=network,
            zone=None if plan.domain is None else find_zone(plan.domain, plan.zone_id, provider=provider),
            profile=aws_profile(),
        ),
        pulumi.ResourceOptions(providers=[provider]),
    )
    outputs: Outputs = {
        "url": gateway.url,
        "openai_base_url": pulumi.Output.concat(gateway.url, "/v1"),
        "api_keys": gateway.api_keys,
        "name_servers": list(gateway.name_servers),
        "connection": gateway.connection,
        "dashboard": gateway.dashboard,
        "what_next": gateway_next(plan, stack=pulumi.get_stack()),
    }
    return _once_served(gateway.serves, outputs)


async def _deploy_service(plan: ServicePlan, source: Source, means: Means) -> Outputs:
    stack, output = await gateway_outputs(plan.gateway, source)
    connection = checked_connection(plan, stack, output)
    known = await connection.future()
    if known is None:
        raise pulumi.RunError(
            f"stack config gateway: {stack} is not deployed yet; deploy it first: pulumi up --stack {stack}"
        )
    place = Place(
        region=known.region,
        account=known.account,
        table=known.table,
        subnet_ids=known.subnet_ids,
        owner=full_name(),
    )
    _say([offers_table(plan), *plan.notes])
    await _ask(plan, means, place)
    kept = await keep_type("service")
    tags = {STACK_TAG: full_name(), RUN_TAG: plan.run, **dict(plan.tags)}
    provider = aws_provider(connection.apply(lambda one: one.region), tags, after=kept)
    service = Service(
        plan.run,
        ServiceArgs(
            plan=plan,
            connection=connection,
            subnet_ids=find_subnets(plan, known, provider=provider),
            image=find_image(plan, provider=provider),
            objects=means.store(boot.objects(plan)),
            has_domain=known.domain is not None,
            owner=full_name(),
            tags={"Name": plan.run, **tags},
            profile=aws_profile(),
        ),
        pulumi.ResourceOptions(providers=[provider]),
    )
    outputs: Outputs = {
        **service_outputs(plan, known, gateway=stack, stack=pulumi.get_stack()),
        "dashboard": service.dashboard,
    }
    return _once_served(service.serves, outputs)


def _once_served(last: pulumi.CustomResource, outputs: Outputs) -> Outputs:
    """Return the outputs, which are known only when the last resource exists. So a stack that failed shows no address.
    A preview shows what they will be."""
    if pulumi.runtime.is_dry_run():
        return outputs
    return {name: pulumi.Output.all(value, last.id).apply(lambda known: known[0]) for name, value in outputs.items()}


async def _ask(plan: GatewayPlan | ServicePlan, means: Means, place: Place | None = None) -> None:
    """Ask AWS and the Hub whether the plan can be deployed. What is deployed does not depend on the answers. Raises
    `RunError` if one refuses."""
    if not plan.preflight:
        return
    pulumi.info("preflight: asking AWS and the Hub", ephemeral=True)
    # It takes seconds. A thread lets Pulumi show the line above in that time.
    findings = await asyncio.to_thread(run_preflight, plan, means.clients(aws_profile()), place, owner=full_name())
    if refuses(findings):
        skip = "to skip preflight: pulumi config set preflight false"
        raise pulumi.RunError(f"preflight found that this cannot be deployed ({skip}):\n{report(findings)}")
    _say([report(findings)])


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        pulumi.info(line)
