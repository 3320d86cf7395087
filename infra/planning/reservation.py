"""Capacity Reservations and Capacity Blocks of EC2, in which replicas run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from infra.configuration import Problem, ServiceConfiguration, ServiceSettings
from infra.planning.plan import Offer
from infra.planning.running import Reservation


def plan_reservation(
    configuration: ServiceConfiguration,
    settings: ServiceSettings,
    offers: Sequence[Offer],
    problems: list[Problem],
    *,
    elsewhere: bool = False,
) -> Reservation | None:
    """Return the reservation that instances run in; `None`: in none. Problems are added to `problems`.

    A reservation is for one instance type in one availability zone, and the program does not ask AWS which.
    `elsewhere`: another group of replicas has a reservation.
    """

    def refuse(where: str, found: str, rule: str, remedy: str) -> None:
        line = None if where.startswith("stack config") else configuration.source.line((where,))
        problems.append(Problem(where=where, line=line, found=found, rule=rule, remedy=remedy))

    if configuration.reservation is None:
        if settings.capacity_block and not elsewhere:
            rule, remedy = "a Capacity Block needs its id", "write `reservation: cr-…` into the configuration"
            refuse("stack config capacity_block", "true", rule, remedy)
        return None
    if configuration.spot_policy != "on-demand":
        rule, remedy = "a spot instance cannot run in a reservation", "write on-demand, or remove `reservation`"
        refuse("spot_policy", configuration.spot_policy, rule, remedy)
    if len(offers) > 1:
        rule = "a reservation is for one instance type"
        remedy = "write the type of the reservation: `instance_types: [p5.48xlarge]`"
        refuse("reservation", f"{len(offers)} instance types", rule, remedy)
    if len(configuration.availability_zones or ()) != 1:
        rule = "a reservation is in one availability zone"
        remedy = "write the zone of the reservation: `availability_zones: [us-east-1a]`"
        refuse("availability_zones", ", ".join(configuration.availability_zones or ()) or "none", rule, remedy)
    return Reservation(id=configuration.reservation, capacity_block=settings.capacity_block)


def reserved_offers(offers: Sequence[Offer], reservation: Reservation | None) -> tuple[Offer, ...]:
    """Return the offers with the price that an hour costs: none in a Capacity Block, which was paid when it was
    bought."""
    paid = reservation is not None and reservation.capacity_block
    return tuple(replace(offer, price=0) if paid else offer for offer in offers)


def reservation_notes(reservation: Reservation | None) -> list[str]:
    """Return what a reservation means for the service and its price."""
    if reservation is None:
        return []
    if reservation.capacity_block:
        what = (
            f"all replicas run in the Capacity Block {reservation.id}, whose price you paid when you bought it. So "
            "their instances cost $0 an hour here, in the budget too. AWS ends the replicas 30 minutes before the "
            "block ends."
        )
    else:
        what = (
            f"all replicas run in the Capacity Reservation {reservation.id}, and none starts outside of it. You pay "
            "for the reservation also while no replica uses it. For a Capacity Block, set capacity_block in stack "
            "config."
        )
    return [f"reservation: {what} A roll needs room in it for one instance more."]
