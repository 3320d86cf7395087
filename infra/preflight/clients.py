"""Who is asked: AWS by way of boto3, the domain name system, and the Hub. All of it is injected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.planning import ModelRepository, Weigh

AwsClient = Callable[[str, str], Any]
"""A boto3 client, by the service's name and the region."""
NameServers = Callable[[str], Sequence[str] | None]
"""The name servers that the world sees for a domain, in lower case and without a final dot; empty: none; `None`: the
domain name system could not be asked."""
CheckAccess = Callable[[ModelRepository], None]
"""Asks the Hub whether a repository's files may be read with its token (`None`: by everybody). Raises `HubError`."""


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Everything that is asked."""

    aws: AwsClient
    name_servers: NameServers
    check_access: CheckAccess
    weigh: Weigh


def real_clients(environment: Mapping[str, str], *, profile: str | None = None) -> Clients:
    """The real ones, with the caller's own AWS credentials.

    Args:
        environment: the caller's, for `HF_ENDPOINT` and the like.
        profile: the AWS profile of the stack (`aws:profile`); `None`: the caller's.
    """
    from infra.planning.hub_weights import access_on_hub, weigh_on_hub
    from infra.preflight.name_servers import ask_name_servers

    return Clients(
        aws=aws_client(profile),
        name_servers=ask_name_servers,
        check_access=access_on_hub(environment),
        weigh=weigh_on_hub(environment),
    )


def aws_client(profile: str | None = None) -> AwsClient:
    """Makes boto3's clients; each is made once."""
    made: dict[tuple[str, str], Any] = {}

    def client(service: str, region: str) -> Any:
        if (service, region) not in made:
            import boto3
            from botocore.config import Config

            quick = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=15)
            session: Any = boto3.Session(profile_name=profile)
            made[service, region] = session.client(service, region_name=region, config=quick)
        return made[service, region]

    return client
