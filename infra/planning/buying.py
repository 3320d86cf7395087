"""How replicas are bought and how many there are: spot policy, price ceiling, disk, replicas."""

from __future__ import annotations

from infra.configuration import Problem, ServiceConfiguration
from infra.planning.plan import Purchase, Replicas, Scaling
from infra.planning.text import written_line

SMALLEST_DISK_GB = 100
"""What dstack gives a machine on AWS at least. The machine image alone takes 75."""
LARGEST_DISK_GB = 16 * 1024
"""dstack's ceiling on AWS: 16 TB."""


def plan_purchase(configuration: ServiceConfiguration) -> Purchase:
    """The numbers of the group's instances distribution.

    `auto` buys `max(1, smallest number of replicas)` on demand and what is above as spot: a group never falls back
    from spot to on demand by itself, so that something must run on demand for the service to run at all.
    """
    policy = configuration.spot_policy
    if policy == "on-demand":
        return Purchase(spot_policy=policy, on_demand_base=0, on_demand_percentage_above_base=100, spot_max_price=None)
    base = 0 if policy == "spot" else max(1, configuration.replicas.min or 0)
    return Purchase(
        spot_policy=policy,
        on_demand_base=base,
        on_demand_percentage_above_base=0,
        spot_max_price=configuration.max_price,
    )


def purchase_notes(purchase: Purchase, replicas: Replicas) -> list[str]:
    """Where buying differs from dstack's."""
    if purchase.spot_policy == "on-demand":
        return []
    if purchase.spot_policy == "spot":
        return [
            "spot_policy spot: every replica is spot. Spot prices are below the list prices shown and change; a "
            "replica can be taken back with two minutes' notice, and while AWS has no spot capacity none is started."
        ]
    base = purchase.on_demand_base
    above = max(0, replicas.maximum - base)
    first = "replica is" if base == 1 else f"{base} replicas are"
    rest = f"up to {above} above are spot" if above else "no more than that ever run, so nothing is spot"
    return [
        f"spot_policy auto: the first {first} on demand, {rest}. dstack tries spot first and falls back to on demand; "
        "an Auto Scaling group never falls back by itself."
    ]


def plan_disk(configuration: ServiceConfiguration, problems: list[Problem]) -> int:
    """The root volume in GB: the smallest that is asked for and that can be had, as in dstack."""
    asked = configuration.resources.disk
    low = None if asked is None else asked.size.min
    high = None if asked is None else asked.size.max
    if (high is not None and high < SMALLEST_DISK_GB) or (low is not None and low > LARGEST_DISK_GB):
        problems.append(
            Problem(
                where="resources.disk",
                line=written_line(configuration.source, "resources.disk"),
                rule=f"a replica's volume has {SMALLEST_DISK_GB}GB to {LARGEST_DISK_GB // 1024}TB",
                remedy=f"write a size or a range within that, for example {SMALLEST_DISK_GB}GB..",
            )
        )
    return max(SMALLEST_DISK_GB, _rounded_up(low or 0))


def plan_replicas(configuration: ServiceConfiguration) -> Replicas:
    """How many replicas run, and when that changes."""
    low = configuration.replicas.min or 0
    scaling = configuration.scaling
    return Replicas(
        minimum=low,
        maximum=low if configuration.replicas.max is None else configuration.replicas.max,
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
