"""The domain of a gateway: its certificate, the wildcard name at the API, and the gateway's own record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.preflight.zone import suffixes

VALIDATION_TTL = 300


@dataclass(frozen=True, kw_only=True)
class Zone:
    """The hosted zone that holds a domain."""

    id: str
    name: str
    name_servers: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class DomainArgs:
    """The domain, and what answers there."""

    domain: str
    zone: Zone
    certificate_arn: str | None
    """`None`: a certificate is made and validated."""
    rest_api: pulumi.Input[str]
    stage: pulumi.Input[str]


class Domain(pulumi.ComponentResource):
    """The name `*.<domain>` of the API. The stack of each run makes the record of the run, so a name without a run does
    not resolve. Only the gateway's own record is here. The certificate is only for `*.<domain>`, because nothing
    answers at the domain itself."""

    target_name: pulumi.Output[str]
    """What records of runs are aliases of."""
    target_zone_id: pulumi.Output[str]

    def __init__(self, name: str, args: DomainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:domain:Domain", name, None, opts)
        wildcard = aws.apigateway.DomainName(
            f"{name}-domain",
            domain_name=f"*.{args.domain}",
            regional_certificate_arn=args.certificate_arn or self._certificate(name, args),
            endpoint_configuration=aws.apigateway.DomainNameEndpointConfigurationArgs(types="REGIONAL"),
            security_policy="TLS_1_2",
            opts=pulumi.ResourceOptions(parent=self),
        )
        mapping = aws.apigateway.BasePathMapping(
            f"{name}-domain",
            domain_name=wildcard.domain_name,
            rest_api=args.rest_api,
            stage_name=args.stage,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.route53.Record(
            f"{name}-gateway",
            zone_id=args.zone.id,
            name=f"gateway.{args.domain}",
            type="A",
            aliases=[
                aws.route53.RecordAliasArgs(
                    name=wildcard.regional_domain_name,
                    zone_id=wildcard.regional_zone_id,
                    evaluate_target_health=False,
                )
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[mapping]),
        )
        self.target_name = wildcard.regional_domain_name
        self.target_zone_id = wildcard.regional_zone_id
        self.register_outputs({"target_name": self.target_name, "target_zone_id": self.target_zone_id})

    def _certificate(self, name: str, args: DomainArgs) -> pulumi.Output[str]:
        """Return the ARN of a validated certificate. The name of the API waits for the validation.

        ACM asks for the same record for a domain and for its wildcard, and for each certificate. So the record can
        exist already. It stays when the stack is destroyed, because a certificate without its record is not renewed.
        """
        certificate = aws.acm.Certificate(
            f"{name}-certificate",
            domain_name=f"*.{args.domain}",
            validation_method="DNS",
            opts=pulumi.ResourceOptions(parent=self),
        )
        asked = certificate.domain_validation_options
        record = aws.route53.Record(
            f"{name}-certificate",
            zone_id=args.zone.id,
            name=asked[0].resource_record_name.apply(str),
            type=asked[0].resource_record_type.apply(str),
            records=[asked[0].resource_record_value.apply(str)],
            ttl=VALIDATION_TTL,
            allow_overwrite=True,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        validation = aws.acm.CertificateValidation(
            f"{name}-certificate",
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn],
            opts=pulumi.ResourceOptions(parent=self),
        )
        return validation.certificate_arn


def find_zone(domain: str, zone_id: str | None, *, provider: pulumi.ProviderResource) -> Zone:
    """Return the public hosted zone that holds `domain`: the one with `zone_id`, else that of its longest suffix.

    Raises:
        RunError: no zone holds it, several do, or the zone with `zone_id` is private or does not hold the domain.
    """
    options = pulumi.InvokeOptions(provider=provider)
    if zone_id is not None:
        try:
            found = aws.route53.get_zone(zone_id=zone_id, opts=options)
        except Exception as error:  # an invoke raises nothing narrower
            if not re.search("no matching|NoSuchHostedZone", str(error)):
                raise
            raise pulumi.RunError(
                f"stack config zone_id: this account has no hosted zone {zone_id}; list them with "
                "aws route53 list-hosted-zones, or remove zone_id, so that servestack looks it up"
            ) from None
        if found.private_zone:
            raise pulumi.RunError(
                f"stack config zone_id: {zone_id} is a private zone, which clients and ACM cannot see; set the id of a "
                "public one, or remove zone_id, so that servestack looks it up"
            )
        zone = _read_zone(found)
        if zone.name not in suffixes(domain):
            raise pulumi.RunError(
                f"stack config zone_id: {zone_id} is the zone of {zone.name}, which does not hold {domain}; set the id "
                "of the zone that does, or remove zone_id, so that servestack looks it up"
            )
        return zone
    for suffix in suffixes(domain):
        try:
            found = aws.route53.get_zone(name=suffix, private_zone=False, opts=options)
        except Exception as error:  # an invoke raises nothing narrower
            if "multiple" in str(error):
                raise pulumi.RunError(
                    f"domain {domain}: this account has several public zones for {suffix}; set zone_id to the one that "
                    "the domain's name servers point to"
                ) from None
            if "no matching" not in str(error):
                raise
        else:
            return _read_zone(found)
    raise pulumi.RunError(
        f"domain {domain}: this account has no public hosted zone that holds it (looked for "
        f"{', '.join(suffixes(domain))}); create one in Route 53 and point the domain's name servers to it, or set "
        "zone_id"
    )


def _read_zone(found: aws.route53.GetZoneResult) -> Zone:
    return Zone(id=found.zone_id, name=found.name.rstrip("."), name_servers=found.name_servers)
