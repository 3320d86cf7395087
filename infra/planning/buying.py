"""How replicas are bought and how many there are: spot policy, price ceiling, disk, replicas."""

from __future__ import annotations

from infra.configuration import Problem, ServiceConfiguration
from infra.planning.plan import Purchase, Replicas, Scaling
from infra.planning.text import written_line

SMALLEST_DISK_GB = 100
"""dstack's smallest disk on AWS."""
MACHINE_IMAGE_GB = 75
"""What the machine image needs of it."""
LARGEST_DISK_GB = 16 * 1024
"""dstack's largest disk on AWS: 16 TB."""


def plan_purchase(configuration: ServiceConfiguration) -> Purchase:
    """Return the numbers for the group's instances distribution.

    With `auto`, `max(1, minimum of replicas)` instances are on demand and all others are spot. An Auto Scaling group
    never falls back from spot to on demand by itself, so one instance must be on demand for the service to run.
    """
    policy = configuration.spot_policy
    if policy == "on-demand":
        return Purchase(spot_policy=policy, on_demand_base=0, on_demand_percentage_above_base=100, spot_max_price=None)
    base = 0 if policy == "spot" else max(1, configuration.count.min or 0)
    return Purchase(
        spot_policy=policy,
        on_demand_base=base,
        on_demand_percentage_above_base=0,
        spot_max_price=configuration.max_price,
    )


def purchase_notes(purchase: Purchase, replicas: Replicas) -> list[str]:
    """Return notes on how the purchase of instances differs from dstack."""
    if purchase.spot_policy == "on-demand":
        return []
    if purchase.spot_policy == "spot":
        return [
            "spot_policy spot: every replica is spot. Spot prices are below the list prices shown here, and they "
            "change. AWS can end a replica with two minutes' notice, and starts none while it has no spot capacity."
        ]
    base = purchase.on_demand_base
    above = max(0, replicas.maximum - base)
    first = "replica is" if base == 1 else f"{base} replicas are"
    rest = f"up to {above} more are spot" if above else "the service never has more, so nothing is spot"
    return [
        f"spot_policy auto: the first {first} on demand, {rest}. dstack tries spot first and falls back to on demand; "
        "an Auto Scaling group never falls back by itself."
    ]


def backend_notes(configuration: ServiceConfiguration) -> list[str]:
    """Return a note on dstack's other clouds that the configuration allows."""
    others = [name for name in configuration.backends or () if name != "aws"]
    if not others:
        return []
    return [f"backends: {', '.join(others)} {'has' if len(others) == 1 else 'have'} no effect. servestack runs on AWS."]


def plan_disk(configuration: ServiceConfiguration, problems: list[Problem]) -> int:
    """Return the size of the root volume in GB: the smallest size that the configuration and AWS allow, as in
    dstack."""
    asked = configuration.resources.disk
    low = None if asked is None else asked.size.min
    high = None if asked is None else asked.size.max
    if (high is not None and high < SMALLEST_DISK_GB) or (low is not None and low > LARGEST_DISK_GB):
        problems.append(
            Problem(
                where="resources.disk",
                line=written_line(configuration.source, "resources.disk"),
                rule=f"a replica's volume has {SMALLEST_DISK_GB}GB to {LARGEST_DISK_GB // 1024}TB",
                remedy=f"write a size or a range within these limits, for example {SMALLEST_DISK_GB}GB..",
            )
        )
    return max(SMALLEST_DISK_GB, _rounded_up(low or 0))


def plan_replicas(configuration: ServiceConfiguration) -> Replicas:
    """Return how many replicas run, and when that changes."""
    low = configuration.count.min or 0
    scaling = configuration.scaling
    return Replicas(
        minimum=low,
        maximum=low if configuration.count.max is None else configuration.count.max,
        scaling=None
        if scaling is None
        else Scaling(
            metric=scaling.metric,
            target=scaling.target,
            window=scaling.window,
            scale_up_delay=scaling.scale_up_delay,
            scale_down_delay=scaling.scale_down_delay,
        ),
    )


def _rounded_up(size: float) -> int:
    return int(-(-size // 1))
