"""Images in a private registry of Amazon ECR, which a replica pulls by the role of its instance."""

from __future__ import annotations

import re
from dataclasses import dataclass

from infra.planning.plan import Container, ServicePlan

_HOST = re.compile(
    r"(?P<account>\d{12})\.(?:dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.(?:com(?:\.cn)?|eu)"
    r"|dkr-ecr(?:-fips)?\.(?P<dual>[a-z0-9-]+)\.on\.(?:aws|amazonwebservices\.com\.cn))"
)
"""AmazonECR/latest/userguide/Registries.html; the second form answers over IPv6 too."""


@dataclass(frozen=True, kw_only=True)
class EcrRepository:
    """A repository of a private registry. A registry belongs to an account and a region."""

    account: str
    region: str
    name: str
    """All after the host, without tag and digest: `team/tgi`."""


def pulled_by_role(container: Container) -> EcrRepository | None:
    """Return the repository that a replica pulls from by its role. `None`: the image is elsewhere, or the configuration
    has a login for it."""
    return None if container.registry_login is not None else ecr_repository(container.image)


def pulled(plan: ServicePlan) -> tuple[EcrRepository, ...]:
    """Return the repositories that the replicas of a service pull from by their role, those of all its groups."""
    found = [pulled_by_role(group.container) for group in plan.groups]
    return tuple(dict.fromkeys(one for one in found if one is not None))


def ecr_repository(image: str) -> EcrRepository | None:
    """Return the repository of an image in ECR; `None`: it is in no private registry of ECR."""
    host, _, path = image.partition("/")
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    name = re.sub(r"(:[^:/]+)?(@.*)?$", "", path)
    return EcrRepository(account=found["account"], region=found["region"] or found["dual"], name=name)


def ecr_notes(container: Container) -> list[str]:
    """Return what a user should know about the login of an image in ECR."""
    repository = ecr_repository(container.image)
    if repository is None:
        return []
    if container.registry_login is not None:
        return [
            "registry_auth: a password of ECR is good for 12 hours, and replicas that start later cannot use it. "
            "Remove registry_auth: then each replica logs in by its own role, with a new password at each pull."
        ]
    return [
        f"The image is in ECR: the role of the replicas may pull from the repository {repository.name} of the account "
        f"{repository.account}, and from no other. If that is not the account of the stack, the policy of the "
        "repository must allow it."
    ]
