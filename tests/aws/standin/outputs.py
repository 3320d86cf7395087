"""What a resource answers with: its inputs and what the provider computes (`outputs.csv`), shaped as AWS shapes it.

Everything is made of the URN and of how often it was made before, so the same program gets the same answers.
"""

from __future__ import annotations

import base64
import hashlib
import string
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from commands.property_values import UNKNOWN
from tests.aws.standin import sdk
from tests.aws.standin.tables import by_type, types

_NUMBERS = frozenset({"latestVersion", "defaultVersion", "version", "warmPoolSize", "predictedCapacity"})
_BALANCER_ZONES = {"us-east-1": "Z35SXDOTRQ7X7K", "eu-central-1": "Z215JYRZR1TBD5", "eu-west-1": "Z32O12XQLNTSW2"}
_API_ZONES = {"us-east-1": "Z1UJRXOUMOOFQ8", "eu-central-1": "Z1U9ULNL0V5AJ3", "eu-west-1": "ZLY8HYME6SFDD"}
"""Hosted zones of AWS's own names (general/latest/gr/elb.html, apigateway.html); elsewhere one stands in."""


def digits_of(seed: str) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()


def own_name(type: str, logical: str, seed: str) -> str | None:
    """The name that the provider gives to a resource without one: the logical name, a dash and seven digits.

    `None` where it would be too long, which the provider refuses.
    """
    name = f"{logical}-{digits_of(seed)[:7]}"
    return name if len(name) <= types()[type].longest else None


def computed(type: str, inputs: Mapping[str, Any], seed: str, region: str, account: str) -> tuple[str, dict[str, Any]]:
    """(id, outputs), for a resource all of whose inputs are known."""
    fields = _Fields(inputs, seed, region, account)
    outputs: dict[str, Any] = {}
    for row in by_type("outputs").get(type, ()):
        name, value = row["property"], string.Formatter().vformat(row["value"], (), fields)
        fields.add(name, value)
        if name not in inputs and name != "id":
            outputs[name] = int(value) if name in _NUMBERS and value.isdigit() else value
    outputs |= dict(_special(type, inputs, seed))
    if type.startswith("aws:"):
        outputs |= {"region": region}
    return str(fields["id"]), {**inputs, **outputs}


def unknown_until_made(type: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs at preview: what is computed is not known."""
    names = sdk.output_names(type) | {row["property"] for row in by_type("outputs").get(type, ())}
    return {**dict.fromkeys(names - inputs.keys() - {"id"}, UNKNOWN), **inputs}


class _Fields(dict[str, Any]):
    """What a template of `outputs.csv` may name: inputs, ids, and digits of any length (`{hex17}`)."""

    def __init__(self, inputs: Mapping[str, Any], seed: str, region: str, account: str) -> None:
        self._digits = digits_of(seed)
        scheme = "internal-" if inputs.get("internal") else ""
        name = str(inputs.get("name", ""))
        super().__init__(
            {key: value for key, value in inputs.items() if isinstance(value, (str, int))}
            | {
                "region": region,
                "account": account,
                "scheme": scheme,
                "uuid": str(uuid.UUID(self._digits[:32])),
                "digits10": str(int(self._digits[:12], 16))[:10].zfill(10),
                "apiZone": _API_ZONES.get(region, "ZLY8HYME6SFDD"),
                "loadBalancerZone": _BALANCER_ZONES.get(region, "Z32O12XQLNTSW2"),
                "loadBalancer": str(inputs.get("loadBalancerArn", "")).partition(":loadbalancer/")[2],
                "listener": str(inputs.get("listenerArn", "")).partition(":listener/")[2],
                "serviceDigits": digits_of(str(inputs.get("serviceName", "")).rpartition(".")[2])[:8],
                "slashedName": name if name.startswith("/") else f"/{name}",
            }
        )

    def add(self, name: str, value: str) -> None:
        self.setdefault(name, value)

    def __missing__(self, name: str) -> str:
        if name.lower().startswith("hex") and name[3:].isdigit():
            digits = self._digits[: int(name[3:])]
            return digits.upper() if name.startswith("HEX") else digits
        return ""


def _special(type: str, inputs: Mapping[str, Any], seed: str) -> Iterator[tuple[str, Any]]:
    """What no template says: lists, and random values."""
    if type == "aws:acm/certificate:Certificate":
        names = [inputs.get("domainName", ""), *inputs.get("subjectAlternativeNames", [])]
        yield "domainValidationOptions", [_validation(name) for name in dict.fromkeys(names)]
    elif type == "aws:lb/targetGroup:TargetGroup":
        yield "loadBalancerArns", []
    elif type == "random:index/randomBytes:RandomBytes":
        value = _bytes(seed, inputs["length"])
        yield "base64", base64.b64encode(value).decode()
        yield "hex", value.hex()


def _validation(name: str) -> dict[str, str]:
    """ACM's DNS record for a name. A name and its wildcard have the same record."""
    plain = name.removeprefix("*.")
    digits = digits_of(f"acm {plain}")
    return {
        "domainName": name,
        "resourceRecordName": f"_{digits[:32]}.{plain}.",
        "resourceRecordType": "CNAME",
        "resourceRecordValue": f"_{digits[32:]}.acm-validations.aws.",
    }


def _bytes(seed: str, length: int) -> bytes:
    return b"".join(hashlib.sha256(f"{seed} {block}".encode()).digest() for block in range(length // 32 + 1))[:length]
