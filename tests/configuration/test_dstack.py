"""A configuration that dstack's own models accept has the same meaning here, or is refused.

dstack.json holds what dstack 0.22.5 makes of each text (`yaml.safe_load`, then `parse_apply_configuration`), written
down in this package's terms: a meaning, where it differs from a service's defaults, or null where dstack refuses.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from infra.configuration import ConfigurationError, GatewayConfiguration, Secret, ServiceConfiguration, loads
from infra.configuration.refusals import GATEWAY, SERVICE

RECORDED = json.loads((Path(__file__).parent / "dstack.json").read_text(encoding="utf-8"))

SERVICE_KEYS = """
    port gateway strip_prefix model https auth scaling rate_limits probes replicas groups commands type name image user
    privileged entrypoint working_dir home_dir registry_auth python nvcc single_branch env shell resources priority
    volumes docker repos files dstack setup backends regions availability_zones instance_types reservation spot_policy
    retry max_duration stop_duration max_price creation_policy idle_duration utilization_policy startup_order
    stop_criteria schedule fleets instances tags backend_options
"""
GATEWAY_KEYS = """
    type name default backend region instance_type domain public_ip load_balancer certificate replicas tags
"""


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: case["text"].splitlines()[-1][:60])
def test_a_text_means_what_it_means_to_dstack_or_is_refused(case: dict[str, Any]) -> None:
    if case["here"] == "refused":
        with pytest.raises(ConfigurationError):
            loads(case["text"], "serve.dstack.yml")
        return
    configuration = loads(case["text"], "serve.dstack.yml")
    if case["dstack"] is None:
        return
    defaults = RECORDED["defaults"] if configuration.type == "service" else {}
    assert _in_dstacks_terms(configuration) == {**defaults, **case["dstack"]}


def test_every_key_of_dstacks_is_known_by_name() -> None:
    """`router` belongs to dstack before 0.21, and dstack's pages still have it."""
    assert set(SERVICE_KEYS.split()) == set(ServiceConfiguration.model_fields) | set(SERVICE) - {"router"}
    assert set(GATEWAY_KEYS.split()) == set(GatewayConfiguration.model_fields) | set(GATEWAY) - {"router"}


def _in_dstacks_terms(configuration: ServiceConfiguration | GatewayConfiguration) -> dict[str, Any]:
    """Return the configuration without this project's own fields, and with dstack's default where a gateway decides."""
    read = json.loads(json.dumps(configuration.model_dump(), default=_plain))
    if not isinstance(configuration, ServiceConfiguration):
        return cast(dict[str, Any], read)
    read["auth"] = configuration.auth is not False
    if configuration.registry_auth is not None:
        read["registry_auth"]["password"] = configuration.registry_auth.password.reveal()
    if configuration.model is not None:
        own = ("prefix",) if configuration.model.format == "openai" else ("chat_template", "eos_token")
        read["model"] = {key: read["model"][key] for key in ("type", "name", "format", *own)}
    return cast(dict[str, Any], read)


def _plain(value: object) -> object:
    return value.reveal() if isinstance(value, Secret) else list(cast(Any, value))
