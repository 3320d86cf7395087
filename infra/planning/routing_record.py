"""From a planned service to the record that the gateway routes by."""

from __future__ import annotations

import msgspec

from gateway_lambda.registry import record
from infra.planning.plan import ServicePlan


def service_record(
    plan: ServicePlan, *, url: str | None = None, host: str | None = None, gateway_auth: bool = True
) -> record.Service:
    """Return the routing record of a planned service for the gateway's registry.

    Args:
        url: base URL of the service, which then does not run on the plan's offers; `None`: the gateway's own upstream,
            with `host`.
        host: the Host header to send upstream.
        gateway_auth: whether callers need a key if the configuration does not set `auth`.
    """
    model = plan.model
    offers = plan.every_offer
    if model is not None and plan.upstream_api_key is not None:
        model = msgspec.structs.replace(model, upstream_api_key=plan.upstream_api_key.reveal())
    return record.Service(
        run=plan.run,
        url=url,
        host=host,
        auth=gateway_auth if plan.auth is None else plan.auth,
        min_replicas=plan.fewest,
        strip_prefix=plan.strip_prefix,
        model=model,
        weight=plan.weight,
        rate_limits=[
            record.RateLimit(prefix=limit.prefix, header=limit.header, rps=limit.rps, burst=limit.burst)
            for limit in plan.rate_limits
        ],
        instance_types=[] if url else list(dict.fromkeys(offer.instance_type for offer in offers)),
        hourly_price=None if url else offers[0].price,
        spot=url is None and any(map(_can_be_spot, plan.groups)),
    )


def _can_be_spot(plan: ServicePlan) -> bool:
    purchase = plan.purchase
    return purchase.on_demand_percentage_above_base == 0 and purchase.on_demand_base < plan.replicas.maximum
