"""All questions about one plan, asked at the same time, and all answers together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Thread

from infra.planning import GatewayPlan, ServicePlan
from infra.preflight import account, api, function, isolation, model, offerings, quotas, run_name, zone
from infra.preflight.aws_errors import aws_failures, in_words, kind_of
from infra.preflight.clients import Clients
from infra.preflight.finding import Finding, refusal, warning

PATIENCE = 60.0
"""Seconds that all questions have together."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a service would be deployed: its gateway, as far as it is asked after, and its stack."""

    region: str
    account: str | None
    """The gateway's; `None`: not known."""
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
    """Asks everything and gives every answer. Nothing is raised for what AWS or the Hub does not answer: that is an
    answer too. Where the credentials are refused, AWS is asked nothing else.

    Args:
        plan: what would be deployed. One with `preflight` off is asked nothing.
        clients: who is asked, from several threads.
        place: where a service would be deployed.
        owner: full name of a gateway's stack, by which what is its own is not taken for somebody else's.
        patience: seconds after which what was not answered counts as that.

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
    """Who asks; what hangs on that; what does not."""
    aws, region = clients.aws, plan.region
    questions = [
        _Question(zone.TOPIC, lambda: zone.check_zone(aws, clients.name_servers, plan)),
        _Question(api.DOMAIN, lambda: api.check_domain(aws, plan, owner)),
        _Question(api.NAME, lambda: api.check_name(aws, plan)),
        _Question(api.ROLE, lambda: api.check_role(aws, plan)),
        _Question(function.CONCURRENCY, lambda: function.check_concurrency(aws, plan, owner)),
        _Question(function.LAYER, lambda: function.check_layer(aws, plan)),
    ]
    return _Question(account.TOPIC, lambda: account.check_account(aws, region)), questions, []


def _about_service(
    plan: ServicePlan, clients: Clients, place: Place
) -> tuple[_Question, Sequence[_Question], Sequence[_Question]]:
    aws, region, owner = clients.aws, place.region, place.owner
    questions = [
        _Question(run_name.TOPIC, lambda: run_name.check_registry(aws, region, place.table, plan, owner)),
        _Question(offerings.TOPIC, lambda: offerings.check_offerings(aws, plan, region, place.subnet_ids)),
        _Question(quotas.TOPIC, lambda: quotas.check_quotas(aws, plan, region, owner)),
        _Question(isolation.TOPIC, lambda: isolation.check_isolation(plan)),
    ]
    who = _Question(account.TOPIC, lambda: account.check_account(aws, region, place.account))
    return who, questions, [_Question(model.TOPIC, lambda: model.check_model(clients, plan))]


def _start(questions: Sequence[_Question]) -> Callable[[float], list[Finding]]:
    """Begins to ask, each in a thread that the program's end does not wait for; what is returned waits for the
    answers, until a moment of the monotonic clock at most, and gives them in the order of the questions."""

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
    """The answer; where there is none, a warning that says so."""
    topic = question.topic
    try:
        return question.ask()
    except aws_failures() as error:
        match kind_of(error):
            case "credentials":
                return [refusal(topic, account.explain_credentials(error))]
            case "denied":
                why = "the caller may not ask"
            case "passing":
                why = "AWS does not answer"
            case "other":
                why = "AWS refuses the question"
        return [warning(topic, f"not checked: {why} ({in_words(error)})")]
    except Exception as error:  # an answer that is none, as a proxy gives it, can end in anything
        return [warning(topic, f"not checked: the answer is not understood ({type(error).__name__})")]


def _heard(question: _Question) -> list[Finding]:
    if question.answer is not None:
        return question.answer
    silence = "no answer in time"
    if question.topic == account.TOPIC:
        return [refusal(account.TOPIC, f"{silence}: look at the network, and at what gives the profile's credentials")]
    return [warning(question.topic, f"not checked: {silence}")]
