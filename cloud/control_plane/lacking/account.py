"""What an account has: quotas, public parameters, certificates that are validated, offers of instance types."""

# pyright: basic
# What moto says of its types is partial.

from __future__ import annotations

import functools
import json
from typing import Any

from moto.acm.models import CertBundle
from moto.ec2.models.instance_types import InstanceTypeOfferingBackend
from moto.route53.models import route53_backends
from moto.servicequotas.models import ServiceQuotasBackend
from moto.servicequotas.responses import ServiceQuotasResponse
from moto.ssm.models import Parameter, ParameterDict

from cloud.control_plane.environment import ACCOUNT, IMAGE
from cloud.control_plane.lacking.patching import beside, instead
from infra.planning.boot import AMI_PARAMETER
from infra.planning.catalog import read_catalog
from infra.preflight.needs import quotas

VCPUS = 4096.0
"""Of every quota of instances: nothing here should fail for it."""


@functools.cache
def install() -> None:
    """Patch moto's service quotas, SSM, ACM and EC2's offerings."""

    @instead(ServiceQuotasBackend, "get_service_quota")
    def quota(get: Any, self: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        """moto knows quotas of VPC alone."""
        names = {one.code: one.name for one in quotas()} if service_code == "ec2" else {}
        if quota_code not in names:
            return get(self, service_code, quota_code)
        return {
            "ServiceCode": service_code,
            "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
            "QuotaArn": f"arn:aws:servicequotas:{self.region_name}:{ACCOUNT}:{service_code}/{quota_code}",
            "QuotaCode": quota_code,
            "QuotaName": names[quota_code],
            "Value": VCPUS,
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }

    @beside(ServiceQuotasResponse, "get_aws_default_service_quota")
    def default_quota(self: ServiceQuotasResponse) -> str:
        """moto has no GetAWSDefaultServiceQuota."""
        asked = json.loads(self.body)
        return json.dumps({"Quota": self.backend.get_service_quota(asked["ServiceCode"], asked["QuotaCode"])})

    @instead(ParameterDict, "_check_loading_status")
    def public_parameters(check: Any, self: Any, key: str) -> None:
        """moto refuses to store names that AWS reserves, and the image's is one."""
        check(self, key)
        if key == AMI_PARAMETER and not dict.__contains__(self, key):
            dict.__setitem__(self, key, [_parameter(key, IMAGE)])

    @instead(CertBundle, "check")
    def validated(check: Any, self: Any) -> None:
        """moto's certificates are validated without their record."""
        if self.type != "AMAZON_ISSUED" or self.status != "PENDING_VALIDATION" or _has_records(self):
            check(self)

    @instead(InstanceTypeOfferingBackend, "describe_instance_type_offerings")
    def offerings(describe: Any, self: Any, location_type: str | None = None, filters: Any = None) -> Any:
        """moto's list is of an older day. Here every type of the catalog is sold in every zone."""
        found = list(describe(self, location_type, filters))
        asked = (filters or {}).get("instance-type")
        known = {(one["InstanceType"], one["Location"]) for one in found}
        for place in _places(self, location_type, filters or {}):
            for one in read_catalog():
                if (asked is None or one.name in asked) and (one.name, place) not in known:
                    kind = location_type or "region"
                    found.append({"InstanceType": one.name, "Location": place, "LocationType": kind})
        return found


def _places(backend: Any, location_type: str | None, filters: dict[str, Any]) -> list[str]:
    zones = backend.describe_availability_zones()
    places = {
        "availability-zone": [zone.name for zone in zones],
        "availability-zone-id": [zone.zone_id for zone in zones],
    }.get(location_type or "region", [backend.region_name])
    return [place for place in places if place in filters.get("location", [place])]


def _parameter(name: str, value: str) -> Any:
    return Parameter(
        account_id=ACCOUNT,
        name=name,
        value=value,
        parameter_type="String",
        description=None,
        allowed_pattern=None,
        keyid=None,
        last_modified_date=0,
        version=1,
        data_type="aws:ec2:image",
    )


def _has_records(certificate: Any) -> bool:
    wanted = {
        (option["ResourceRecord"]["Name"].rstrip("."), option["ResourceRecord"]["Value"].rstrip("."))
        for option in certificate.describe()["Certificate"]["DomainValidationOptions"]
    }
    zones = route53_backends[ACCOUNT]["global"].zones.values()
    there = {
        (record.name.rstrip("."), str(value).rstrip("."))
        for zone in zones
        for record in zone.rrsets
        if record.type == "CNAME"
        for value in record.records
    }
    return wanted <= there
