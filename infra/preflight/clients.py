"""Whom preflight asks: AWS through boto3, DNS, and the Hub. All of them are injected."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from infra.planning import ModelRepository
from infra.preflight.aws_errors import aws_failures

AwsClient = Callable[[str, str], Any]
"""A boto3 client, by the service's name and the region."""
SeenServers = Sequence[str] | Literal["failed", "elsewhere"] | None
"""Name servers in lower case and without a final dot; empty: none; `failed`: no server answers for the domain;
`elsewhere`: DNS says nothing about this AWS; `None`: DNS did not answer."""
NameServers = Callable[[str], SeenServers]
"""The name servers that DNS has for a domain."""
CaaRecords = Callable[[str], Sequence[tuple[str, str]] | None]
"""The CAA records that DNS has for a domain, as (tag, value); empty: none; `None`: DNS did not answer."""
CheckAccess = Callable[[ModelRepository], None]
"""Asks the Hub whether the token of a repository may read its files (`None`: everybody may), and whether it has the
revision. Raises `HubError`."""


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Everything that is asked."""

    aws: AwsClient
    name_servers: NameServers
    caa: CaaRecords
    check_access: CheckAccess


def real_clients(environment: Mapping[str, str], *, profile: str | None = None) -> Clients:
    """Return the real clients, with the caller's own AWS credentials.

    Args:
        environment: the caller's environment, for `HF_ENDPOINT` and the like. With `AWS_ENDPOINT_URL`, AWS is another
            one (`make cloud`), whose hosted zones are in no DNS. So DNS is not asked.
        profile: the AWS profile of the stack (`aws:profile`); `None`: the caller's profile.
    """
    from infra.planning.hub_weights import access_on_hub
    from infra.preflight.name_servers import ask_caa, ask_name_servers

    public = not environment.get("AWS_ENDPOINT_URL")
    return Clients(
        aws=aws_client(profile),
        name_servers=ask_name_servers if public else lambda _: "elsewhere",
        caa=ask_caa if public else lambda _: None,
        check_access=access_on_hub(environment),
    )


def aws_client(profile: str | None = None) -> AwsClient:
    """Return what makes boto3's clients, each once, in any thread. It and its clients raise only botocore's errors,
    even if a file or a program that gives the caller's credentials fails with another."""
    made: dict[tuple[str, str], Any] = {}
    sessions: list[Any] = []
    making = threading.Lock()

    def client(service: str, region: str) -> Any:
        with making:
            if not sessions:
                sessions.append(aws_session(profile))
            if (service, region) not in made:
                made[service, region] = _client(sessions[0], service, region)
            return made[service, region]

    return client


def aws_session(profile: str | None = None) -> Any:
    """Return boto3's session, with credentials if the caller has any. Raises only botocore's errors."""
    import boto3
    from botocore.exceptions import CredentialRetrievalError
    from botocore.session import Session

    own: Any = Session(profile=profile)
    try:
        _refuse_mfa(own.get_scoped_config(), chosen=profile is not None)
        credentials = own.get_credentials()
        if credentials is not None:
            credentials.get_frozen_credentials()
    except aws_failures():
        raise
    except (
        Exception
    ) as error:  # a provider runs a program or reads a file of the user's, and raises what that ends with
        why = f"{type(error).__name__}: {error}"
        raise CredentialRetrievalError(provider="the profile", error_msg=why) from None
    return boto3.Session(botocore_session=own)


def _refuse_mfa(scoped: Mapping[str, Any], *, chosen: bool) -> None:
    """boto3 would ask for the code at the terminal, in the middle of Pulumi's display, and Pulumi itself cannot ask."""
    from botocore.exceptions import CredentialRetrievalError

    if "role_arn" not in scoped or "mfa_serial" not in scoped or ("AWS_ACCESS_KEY_ID" in os.environ and not chosen):
        return
    why = (
        "its role needs an MFA code, which cannot be typed here; export credentials that were made with one: "
        'eval "$(aws configure export-credentials --format env)"'
    )
    raise CredentialRetrievalError(provider="the profile", error_msg=why)


def _client(session: Any, service: str, region: str) -> Any:
    from botocore.config import Config
    from botocore.exceptions import InvalidEndpointConfigurationError

    quick = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=15)
    try:
        return session.client(service, region_name=region, config=quick)
    except ValueError as error:  # AWS_ENDPOINT_URL
        raise InvalidEndpointConfigurationError(msg=str(error)) from None
