"""From a configuration and the catalog to a plan: everything that will be deployed, as plain frozen data.

This package uses no AWS and no Pulumi, and only the network functions that the caller passes in. `plan_service` gets a
function that finds chat templates. For the Hub it is `resolve_with(open_on_hub())` of `infra.planning.hub`, which only
its users import.
"""

from infra.planning.catalog import PRICES_AS_OF, PRICES_REGION, InstanceType, read_catalog
from infra.planning.chat_template import (
    ChatTemplate,
    ModelRepository,
    ResolveChatTemplate,
    find_chat_template,
    resolve_with,
    unresolved,
    unresolved_out_of_reach,
)
from infra.planning.gateway import plan_gateway
from infra.planning.gateway_plan import GatewayPlan
from infra.planning.plan import Container, HealthCheck, Offer, PlanError, ServicePlan
from infra.planning.repository import HubError, HubOutOfReachError, OpenRepository, RepositoryFiles
from infra.planning.routing_record import service_record
from infra.planning.run_names import generated_run_name
from infra.planning.service import plan_service
from infra.planning.special_tokens import Tokens
from infra.planning.table import offers_table
from infra.planning.weights import Weigh, Weights, unweighed, unweighed_out_of_reach

__all__ = [
    "PRICES_AS_OF",
    "PRICES_REGION",
    "ChatTemplate",
    "Container",
    "GatewayPlan",
    "HealthCheck",
    "HubError",
    "HubOutOfReachError",
    "InstanceType",
    "ModelRepository",
    "Offer",
    "OpenRepository",
    "PlanError",
    "RepositoryFiles",
    "ResolveChatTemplate",
    "ServicePlan",
    "Tokens",
    "Weigh",
    "Weights",
    "find_chat_template",
    "generated_run_name",
    "offers_table",
    "plan_gateway",
    "plan_service",
    "read_catalog",
    "resolve_with",
    "service_record",
    "unresolved",
    "unresolved_out_of_reach",
    "unweighed",
    "unweighed_out_of_reach",
]
