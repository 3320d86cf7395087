"""What is asked of the Hub about a service's model, with the real huggingface_hub against a Hub on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.planning import HubError, HubOutOfReachError
from infra.planning.chat_template import ModelRepository
from infra.planning.hub_weights import access_on_hub, weigh_on_hub
from infra.preflight import Finding
from infra.preflight.model import check_model
from tests.preflight.canned import CannedAws
from tests.preflight.hub import OTHER_TOKEN, TOKEN, Hub, Model, safetensors, serve_hub
from tests.preflight.plans import clients, service_plan

MISTRAL = "mistralai/Mistral-7B-Instruct-v0.3"
SEVEN = safetensors(BF16=7_248_023_552)
"""Of that model, as the Hub counts it: 13.5 GiB."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as served:
        served.models[MISTRAL] = Model(SEVEN)
        yield served


def plan(resources: str = "gpu: 24GB", env: str = "", token: str | None = None, **said: Any) -> Any:
    secret = "" if token is None else f"  HF_TOKEN: {token}\n"
    text = (
        "type: service\nimage: ghcr.io/huggingface/text-generation-inference:3.3.6\nport: 80\n"
        f"env:\n  MODEL_ID: {MISTRAL}\n{env}{secret}commands: [text-generation-launcher]\n"
    )
    return service_plan(f"{text}resources: {{{resources}}}\n" if resources else text, **said)


def asked(hub: Hub, planned: Any = None, **said: Any) -> list[Finding]:
    check_access = access_on_hub({"HF_ENDPOINT": hub.url}, pauses=(0, 0))
    findings = check_model(clients(CannedAws({}), check_access=check_access), planned or plan(**said))
    assert all(TOKEN not in str(finding) and OTHER_TOKEN not in str(finding) for finding in findings)
    return findings


def found(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.level, finding.topic, finding.message) for finding in findings]


def test_a_model_that_everybody_may_read_is_well(hub: Hub) -> None:
    assert found(asked(hub)) == [("ok", "Hub model", f"everybody can read {MISTRAL}")]


def test_a_gated_model_is_read_with_a_token_that_may(hub: Hub) -> None:
    hub.models[MISTRAL].gated = True
    assert found(asked(hub, token=TOKEN))[0] == ("ok", "Hub model", f"the service's token can read {MISTRAL}")


@pytest.mark.parametrize(
    ("gated", "token", "message"),
    [
        (True, None, f"{MISTRAL} is gated (401), and the service has no Hub token: accept its conditions at "),
        (
            True,
            OTHER_TOKEN,
            f"{MISTRAL} is gated (403), and the account of the service's Hub token has no access to it: request "
            "access at ",
        ),
        (
            False,
            "hf_expired",
            "the Hub does not accept the service's token (401): it is expired, revoked or mistyped: create a new "
            "token ",
        ),
        (False, '"hf_with a space"', "the service's Hub token is empty, or has a space, a line break or another "),
    ],
    ids=["gated, no token", "gated for the token", "expired token", "no token at all"],
)
def test_a_model_that_the_service_may_not_read_is_refused(
    hub: Hub, gated: bool, token: str | None, message: str
) -> None:
    hub.models[MISTRAL].gated = gated
    [finding] = asked(hub, token=token)
    assert (finding.level, finding.topic, finding.message[: len(message)]) == ("refusal", "Hub model", message)
    assert "hf_expired" not in finding.message
    assert "hf_with" not in finding.message


def test_a_model_that_does_not_exist_is_refused(hub: Hub) -> None:
    del hub.models[MISTRAL]
    [finding] = asked(hub)
    assert finding.level == "refusal"
    assert finding.message.startswith(f"the Hub has no public repository {MISTRAL} (401)")


def test_a_hub_that_does_not_answer_is_a_warning(hub: Hub) -> None:
    hub.failures = [503, 503, 503]
    assert found(asked(hub)) == [
        (
            "warning",
            "Hub model",
            f"not checked whether replicas may fetch the model: the Hub at {hub.url}, which is needed for data about "
            f"{MISTRAL}, answered 503; try again later",
        )
    ]


def test_a_hub_that_answers_the_second_time_is_well(hub: Hub) -> None:
    hub.failures = [503]
    assert [finding.level for finding in asked(hub)] == ["ok"]


def test_a_hub_that_is_silent_or_slow_is_given_up_after_the_timeout(hub: Hub) -> None:
    hub.failures = [0, -1, 0, -1]
    wanted = ModelRepository(repo=MISTRAL, revision=None, token=None)
    for question in (access_on_hub, access_on_hub, weigh_on_hub, weigh_on_hub):
        with pytest.raises(HubOutOfReachError, match=r"did not answer within 0\.2 s"):
            question({"HF_ENDPOINT": hub.url}, timeout=0.2, pauses=())(wanted)


def test_a_hub_of_somebodys_own_that_cannot_say_who_may_read_is_a_warning(hub: Hub) -> None:
    hub.without_checks = True
    [finding] = asked(hub)
    assert (finding.level, finding.topic) == ("warning", "Hub model")
    assert finding.message.startswith(
        f"not checked whether replicas may fetch the model: the Hub at {hub.url}, which is needed for data about "
    )


def test_the_hub_that_the_service_itself_asks_is_asked_with_its_token(hub: Hub) -> None:
    """A token is sent to no other Hub than the one that it is for."""
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    given = clients(CannedAws({}), check_access=access_on_hub(nowhere, pauses=()))
    findings = check_model(given, plan(env=f"  HF_ENDPOINT: {hub.url}/\n", token=TOKEN))
    assert [finding.level for finding in findings] == ["ok"]


def test_a_password_in_the_hubs_address_is_not_shown() -> None:
    site = "http://ana:password@127.0.0.1:9"
    with pytest.raises(HubError) as caught:
        access_on_hub({"HF_ENDPOINT": site}, pauses=())(ModelRepository(repo=MISTRAL, revision=None, token=None))
    assert caught.value.rule == (
        f"the Hub at http://127.0.0.1:9, which is needed for data about {MISTRAL}, cannot be reached (ConnectError)"
    )


def test_a_hub_that_is_asked_too_often_says_what_helps(hub: Hub) -> None:
    hub.failures = [429, 429, 429]
    assert found(asked(hub))[0][2].endswith(
        "; try again in a few minutes, or put a token into env as HF_TOKEN or HUGGING_FACE_HUB_TOKEN, which "
        "raises the limit"
    )


def test_offline_nothing_is_asked(hub: Hub) -> None:
    environment = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "1"}
    with pytest.raises(HubOutOfReachError, match="HF_HUB_OFFLINE"):
        weigh_on_hub(environment)(ModelRepository(repo=MISTRAL, revision=None, token=None))
    assert hub.asked == []


def test_a_model_that_no_server_is_told_to_load_is_at_most_a_warning(hub: Hub) -> None:
    """The name of a model is what clients send; a server with weights of its own may give it any."""
    text = (
        "type: service\nimage: x\nport: 80\nmodel: {type: chat, name: our/own, format: openai}\n"
        "resources: {gpu: 24GB}\n"
    )
    [finding] = asked(hub, service_plan(text))
    assert (finding.level, finding.topic) == ("warning", "Hub model")
    assert "; this matters only if the container loads this model, which its command does not say: correct " in (
        finding.message
    )


def test_a_revision_that_is_not_there_is_refused(hub: Hub) -> None:
    [finding] = asked(hub, env="  REVISION: v9\n")
    assert (finding.level, finding.topic) == ("refusal", "Hub model")
    assert finding.message.startswith(f"{MISTRAL} has no revision 'v9' (404): choose one of ")


def test_a_service_without_a_model_asks_nothing(hub: Hub) -> None:
    given = clients(CannedAws({}), check_access=access_on_hub({"HF_ENDPOINT": hub.url}))
    assert check_model(given, service_plan()) == []
    assert hub.asked == []
