"""Asks all questions about one plan at the same time, and returns all answers together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Thread

from infra.planning import GatewayPlan, ServicePlan
from infra.preflight import account, alarms, api, caa, function, isolation, model, offerings, quotas, run_name, zone
from infra.preflight.aws_errors import aws_failures, in_words, kind_of
from infra.preflight.clients import Clients
from infra.preflight.finding import Finding, refusal, warning

PATIENCE = 60.0
"""Seconds that all questions have together."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a service would be deployed: what preflight needs of its gateway, and its stack."""

    region: str
    account: str | None
    """The AWS account of the gateway; `None`: not known."""
    table: str
    """Name of the gateway's table."""
    subnet_ids: Sequence[str]
    owner: str
    """Full name of the service's stack."""


@dataclass
class _Question:
    """What is asked, and the answer once it is there."""

    topic: str
    ask: Callable[[], list[Finding]]
    answer: list[Finding] | None = field(default=None, init=False)


def run_preflight(
    plan: ServicePlan | GatewayPlan,
    clients: Clients,
    place: Place | None = None,
    *,
    owner: str = "",
    patience: float = PATIENCE,
) -> tuple[Finding, ...]:
    """Ask everything, and return every answer. A question that AWS or the Hub does not answer raises nothing: that is
    an answer too. If AWS refuses the credentials, it is asked nothing else.

    Args:
        plan: what would be deployed. If its `preflight` is off, nothing is asked.
        clients: who is asked, from several threads.
        place: where a service would be deployed.
        owner: full name of a gateway's stack, by which preflight knows the resources of that stack.
        patience: seconds after which a question counts as not answered.

    Raises:
        ValueError: a service's plan without a place.
    """
    if not plan.preflight:
        return ()
    if isinstance(plan, GatewayPlan):
        who, of_aws, of_hub = _about_gateway(plan, clients, owner)
    elif place is None:
        raise ValueError("run_preflight of a service takes a place: the region, table and subnets of its gateway")
    else:
        who, of_aws, of_hub = _about_service(plan, clients, place)
    end = time.monotonic() + patience
    heard_of_hub = _start(of_hub)
    findings = _start([who])(end)
    if all(finding.level != "refusal" for finding in findings):
        findings += _start(of_aws)(end)
    return (*findings, *heard_of_hub(end))


def _about_gateway(
    plan: GatewayPlan, clients: Clients, owner: str
) -> tuple[_Question, Sequence[_Question], Sequence[_Question]]:
    """The question about the credentials; the questions that need them; the others."""
    aws, region = clients.aws, plan.region
    questions = [
        _Question(zone.TOPIC, lambda: zone.check_zone(aws, clients.name_servers, plan)),
        _Question(caa.TOPIC, lambda: caa.check_caa(aws, clients.caa, plan)),
        _Question(api.DOMAIN, lambda: api.check_domain(aws, plan, owner)),
        _Question(api.NAME, lambda: api.check_name(aws, plan)),
        _Question(api.ROLE, lambda: api.check_role(aws, plan)),
        _Question(function.CONCURRENCY, lambda: function.check_concurrency(aws, plan, owner)),
        _Question(function.LAYER, lambda: function.check_layer(aws, plan)),
        _Question(alarms.TOPIC, lambda: alarms.check_topic(aws, plan.alarms, region)),
    ]
    return _Question(account.TOPIC, lambda: account.check_account(aws, region)), questions, []


def _about_service(
    plan: ServicePlan, clients: Clients, place: Place
) -> tuple[_Question, Sequence[_Question], Sequence[_Question]]:
    aws, region, owner = clients.aws, place.region, place.owner
    questions = [
        _Question(run_name.TOPIC, lambda: run_name.check_registry(aws, region, place.table, plan, owner)),
        _Question(
            offerings.TOPIC,
            lambda: of_groups(plan, lambda group: offerings.check_offerings(aws, group, region, place.subnet_ids)),
        ),
        _Question(quotas.TOPIC, lambda: quotas.check_quotas(aws, plan, region, owner)),
        _Question(isolation.TOPIC, lambda: of_groups(plan, isolation.check_isolation)),
        _Question(alarms.TOPIC, lambda: alarms.check_topic(aws, plan.alarms, region)),
    ]
    who = _Question(account.TOPIC, lambda: account.check_account(aws, region, place.account))
    return (
        who,
        questions,
        [_Question(model.TOPIC, lambda: of_groups(plan, lambda group: model.check_model(clients, group)))],
    )


def of_groups(plan: ServicePlan, check: Callable[[ServicePlan], list[Finding]]) -> list[Finding]:
    """Return the findings about each group of replicas. Those that not all groups have name their group."""
    found = [(group.group, check(group)) for group in plan.groups]
    shared = [finding for finding in found[0][1] if all(finding in findings for _, findings in found)]
    own = [(name, finding) for name, findings in found for finding in findings if finding not in shared]
    return [*shared, *(replace(finding, message=f"group {name}: {finding.message}") for name, finding in own)]


def _start(questions: Sequence[_Question]) -> Callable[[float], list[Finding]]:
    """Start to ask, each question in a thread for which the program's end does not wait. The returned function waits
    for the answers, at most until the given time of the monotonic clock, and returns them in
    the order of the questions."""

    def ask(question: _Question) -> None:
        question.answer = _answered(question)

    threads = [Thread(target=ask, args=(question,), daemon=True) for question in questions]
    for thread in threads:
        thread.start()

    def wait(end: float) -> list[Finding]:
        for thread in threads:
            thread.join(max(0, end - time.monotonic()))
        return [finding for question in questions for finding in _heard(question)]

    return wait


def _answered(question: _Question) -> list[Finding]:
    """The answer, or a warning that the question was not answered."""
    topic = question.topic
    try:
        return question.ask()
    except aws_failures() as error:
        match kind_of(error):
            case "credentials":
                return [refusal(topic, account.explain_credentials(error))]
            case "denied":
                why = "these credentials are not allowed to ask"
            case "passing":
                why = "AWS does not answer"
            case "other":
                why = "AWS refuses the question"
        return [warning(topic, f"not checked: {why} ({in_words(error)})")]
    except Exception as error:  # what a proxy answers instead of AWS can end in anything
        return [warning(topic, f"not checked: the answer is not one that AWS gives ({type(error).__name__})")]


def _heard(question: _Question) -> list[Finding]:
    if question.answer is not None:
        return question.answer
    silence = "no answer in time"
    if question.topic == account.TOPIC:
        return [refusal(account.TOPIC, f"{silence}: check the network, and the program that gives the credentials")]
    return [warning(question.topic, f"not checked: {silence}")]
