"""A service whose replicas are in groups that differ from each other."""

from __future__ import annotations

from typing import Any

import pytest

from infra.configuration import ReplicaGroup, ServiceConfiguration, ServiceSettings, apply_settings, loads
from infra.planning import (
    ChatTemplate,
    HubOutOfReachError,
    ModelRepository,
    PlanError,
    ServicePlan,
    offers_table,
    plan_service,
    service_record,
)
from infra.planning.alarms import service_alarms
from infra.planning.dashboard import service_widgets
from infra.planning.plan import Replicas, Scaling
from infra.planning.running import Reservation
from infra.planning.weights import Weights
from tests.planning.fit.test_notes import weigh

VLLM = """\
type: service
name: llama
image: vllm/vllm-openai:v0.11.0
port: 8000
env: [MODEL_ID=org/model, SIZE=7]
model: org/model
"""
GROUPS = f"""{VLLM}\
replicas:
- count: 1..2
  scaling: {{metric: rps, target: 10}}
  commands: ['vllm serve $MODEL_ID --max-model-len ${{{{ env.SIZE }}}}']
  resources: {{gpu: 48GB, disk: 200GB}}
- name: small
  count: 0..4
  scaling: {{metric: rps, target: 5, scale_down_delay: 5m}}
  commands: [vllm serve $MODEL_ID]
  resources: {{gpu: 24GB}}
  spot_policy: spot
"""


def unresolved(wanted: ModelRepository) -> ChatTemplate:
    raise AssertionError(f"a model of format openai has its own templates: {wanted}")


def unknown(wanted: ModelRepository) -> Weights | None:
    return None


def planned(text: str = GROUPS, weigh: Any = unknown, **said: Any) -> ServicePlan:
    configuration = loads(text, "test.dstack.yml")
    assert isinstance(configuration, ServiceConfiguration)
    settings = ServiceSettings(configuration="test.dstack.yml", **said)
    return plan_service(
        apply_settings(configuration, settings),
        run="yellow-cat-1",
        environment={},
        resolve=unresolved,
        settings=settings,
        weigh=weigh,
    )


def problems(text: str, **said: Any) -> list[tuple[str, int | None, str]]:
    with pytest.raises(PlanError) as caught:
        planned(text, **said)
    return [(problem.where, problem.line, problem.rule) for problem in caught.value.problems]


def scaling(target: float, down: int = 600) -> Scaling:
    return Scaling(metric="rps", target=target, window=60, scale_up_delay=300, scale_down_delay=down)


def test_each_group_is_planned_as_if_it_were_alone() -> None:
    plan = planned()
    assert [
        (
            group.run,
            group.group,
            group.title,
            group.container.arguments[-1],
            group.offers[0].instance_type,
            group.disk_gb,
            group.purchase.spot_policy,
            group.replicas,
            group.others,
        )
        for group in plan.groups
    ] == [
        (
            "llama",
            "0",
            "llama",
            "vllm serve $MODEL_ID --max-model-len 7",
            "g6e.xlarge",
            200,
            "on-demand",
            Replicas(minimum=1, maximum=2, scaling=scaling(10)),
            (),
        ),
        (
            "llama",
            "small",
            "llama-small",
            "vllm serve $MODEL_ID",
            "g6.xlarge",
            100,
            "spot",
            Replicas(minimum=0, maximum=4, scaling=scaling(5, 300)),
            (),
        ),
    ]
    assert (plan.fewest, plan.most, plan.always, plan.resting) == (1, 6, True, 1)
    assert [group.waits for group in plan.groups] == [True, False]


def test_a_list_of_one_group_means_the_same_as_no_list() -> None:
    flat = f"{VLLM}replicas: 2\ncommands: [vllm serve $MODEL_ID]\nresources: {{gpu: 24GB}}\n"
    listed = f"{VLLM}replicas: [{{count: 2, commands: [vllm serve $MODEL_ID], resources: {{gpu: 24GB}}}}]\n"
    assert planned(listed) == planned(flat)


def test_the_routing_record_is_of_all_groups() -> None:
    plan = planned()
    record = service_record(plan)
    types = {offer.instance_type for group in plan.groups for offer in group.offers}
    assert (record.min_replicas, record.hourly_price, record.spot) == (1, plan.others[0].offers[0].price, True)
    assert (record.instance_types[0], set(record.instance_types)) == ("g6.xlarge", types)


def test_a_note_that_not_all_groups_have_names_its_group() -> None:
    notes = [note.partition(".")[0] for note in planned(alarm_email="ops@example.com").notes]
    assert notes == [
        "Group small: spot_policy spot: every replica is spot",
        "Group small: The group can scale to 0 replicas: then the first request starts a replica, and the other groups "
        "answer until it serves",
        "alarm_email is ops@example",
    ]


def test_where_every_group_can_have_no_replica_the_notes_say_what_callers_get() -> None:
    notes = planned(GROUPS.replace("count: 1..2", "count: 0..2")).notes
    assert [note.split(": ")[0] for note in notes] == ["Group small", notes[1].split(": ")[0]]
    assert notes[1].startswith("The service can scale to 0 replicas: then the first request starts a replica, and ")


def test_a_problem_of_a_group_has_the_path_and_the_line_at_which_it_is_written() -> None:
    wrong = GROUPS.replace("gpu: 24GB", "gpu: 7TB").replace("[vllm serve $MODEL_ID]", "['${{ env.NOT }}']")
    found = problems(f"{wrong}\nregistry_auth: {{username: a, password: '${{{{ env.LOST }}}}'}}\n")
    assert [(where, line) for where, line, _ in found] == [
        ("registry_auth.password", 19),
        ("replicas[1].commands[0]", 15),
        ("replicas[1].resources.gpu.memory", 16),
    ]


def test_a_problem_under_groups_is_found_there() -> None:
    text = GROUPS.replace("replicas:\n", "groups:\n").replace("5m}", "2d}")
    assert [(where, line) for where, line, _ in problems(text)] == [("groups[1].scaling.scale_down_delay", 14)]


def test_stack_config_cannot_say_the_gpu_of_several_groups_at_once() -> None:
    rule = "each group has resources of its own, so there is no value that it could replace"
    assert problems(GROUPS, gpu="24GB", disk="300GB") == [
        ("stack config gpu", None, rule),
        ("stack config disk", None, rule),
    ]


def test_alarms_can_watch_nine_groups() -> None:
    text = "type: service\nimage: nginx\nport: 80\ngroups:\n" + "- {count: 1, resources: {gpu: L4}}\n" * 10
    rule = "with alarms, a service has at most 9 groups: an alarm of CloudWatch reads 10 metrics"
    assert problems(text, alarm_email="ops@example.com") == [("groups", 4, rule)]
    assert len(planned(text).groups) == 10
    nine = text.removesuffix("- {count: 1, resources: {gpu: L4}}\n")
    watched = planned(nine, alarm_email="ops@example.com", budget="500")
    assert max(len(alarm.metrics) for alarm in service_alarms(watched)) == 10


RESERVED = """\
type: service
image: nginx
port: 80
instance_types: [g6.xlarge, g6e.xlarge]
availability_zones: [us-east-1a]
replicas:
- count: 1
  resources: {gpu: L4}
  reservation: cr-0123456789abcdef0
- {count: 1, resources: {gpu: L40S}}
"""


def test_one_group_can_be_in_a_capacity_block_and_another_on_demand() -> None:
    assert [(group.reservation, group.offers[0].price) for group in planned(RESERVED, capacity_block=True).groups] == [
        (Reservation(id="cr-0123456789abcdef0", capacity_block=True), 0),
        (None, 1.861),
    ]
    assert problems(RESERVED.replace("  reservation: cr-0123456789abcdef0\n", ""), capacity_block=True) == [
        ("stack config capacity_block", None, "a Capacity Block needs its id")
    ]


def test_no_spot_instance_runs_in_a_reservation_wherever_the_two_are_written() -> None:
    rule = "a spot instance cannot run in a reservation"
    assert problems(f"{RESERVED}spot_policy: spot\n") == [("spot_policy", 11, rule)]
    assert problems(RESERVED, spot_policy="auto") == [("stack config spot_policy", None, rule)]
    everywhere = RESERVED.replace("  reservation: cr-0123456789abcdef0", "  spot_policy: spot")
    everywhere = everywhere.replace("gpu: L40S}", "gpu: L40S}, spot_policy: on-demand")
    assert ("replicas[0].spot_policy", 9, rule) in problems(f"{everywhere}reservation: cr-0123456789abcdef0\n")


def test_a_spot_policy_in_stack_config_is_for_all_groups() -> None:
    plan = planned(spot_policy="auto")
    assert [group.purchase.spot_policy for group in plan.groups] == ["auto", "auto"]


def test_groups_whose_servers_are_checked_differently_need_probes() -> None:
    text = f"""{VLLM.replace("image: vllm/vllm-openai:v0.11.0", "")}\
replicas:
- {{count: 1, image: 'vllm/vllm-openai:v0.11.0', resources: {{gpu: 24GB}}, commands: [vllm serve org/model]}}
- {{count: 1, image: 'ollama/ollama:0.12.3', resources: {{gpu: 24GB}}}}
"""
    rule = "the load balancer checks all groups with the same request, and their servers have different paths for it"
    assert problems(text) == [("replicas[0]", None, rule)]
    probe = "probes: [{type: http, url: /v1/models}]\n"
    assert [group.health_check.path for group in planned(text + probe).groups] == ["/v1/models", "/v1/models"]


def test_the_hub_is_asked_once_for_all_groups() -> None:
    asked: list[str] = []

    def asking(wanted: ModelRepository) -> Weights | None:
        asked.append(wanted.repo)
        return None

    planned(weigh=asking)
    assert asked == ["org/model"]


def test_what_the_hub_does_not_say_is_a_note_once() -> None:
    def unreachable(wanted: ModelRepository) -> Weights | None:
        raise HubOutOfReachError("the Hub does not answer", "try again later")

    notes = [note for note in planned(weigh=unreachable).notes if "the Hub does not answer" in note]
    assert len(notes) == 1


def test_a_model_that_does_not_fit_into_one_group_is_refused_there() -> None:
    big = GROUPS.replace("org/model", "meta-llama/Llama-2-70b-hf")
    assert [(where, line) for where, line, _ in problems(big, weigh=weigh)] == [
        ("replicas[0].resources.gpu", 11),
        ("replicas[1].resources.gpu", 16),
    ]


def test_the_table_of_offers_has_a_part_for_each_group() -> None:
    lines = offers_table(planned(), shown=1).splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        *("Group 0:", "#", "1", "", "Group small:", "#", "1", ""),
        "Prices are on-demand list prices per hour, in us-east-1 on 2026-07-20.",
    ]


def test_alarms_and_costs_count_the_replicas_of_all_groups() -> None:
    no_replica, *_, budget = service_alarms(planned(alarm_email="ops@example.com", budget="500"))
    assert no_replica.expression == "IF(FILL(healthy, 0) < 1, wanted + wanted_1 + 1, 0)"
    assert [(metric.id, dict(metric.dimensions)) for metric in no_replica.metrics[1:]] == [
        ("wanted", {"AutoScalingGroupName": "group"}),
        ("wanted_1", {"AutoScalingGroupName": "group_1"}),
    ]
    assert [metric.id for metric in budget.metrics] == ["minutes", "minutes_1"]
    assert budget.expression is not None
    assert [part.split(" * ")[0] for part in budget.expression.split(" + ")] == [
        "FILL(minutes, 0)",
        "FILL(minutes_1, 0)",
    ]


def test_the_dashboard_has_the_replicas_of_each_group() -> None:
    replicas = next(widget for widget in service_widgets(planned()) if widget.title == "Replicas")
    assert [getattr(graph, "label", "") for graph in replicas.graphs] == [
        "wanted, group 0",
        "in service, group 0",
        "being started, group 0",
        "wanted, group small",
        "in service, group small",
        "being started, group small",
        "healthy",
    ]


EVERY_KEY = """
type: service
port: 80
availability_zones: [us-east-1a]
replicas:
- name: a
  count: 2..3
  scaling: {metric: rps, target: 4}
  resources: {gpu: L4, shm_size: 3GB}
  commands: [one]
  image: nginx
  privileged: true
  reservation: cr-0123456789abcdef0
- {name: b, count: 1, commands: [two], python: 3.10, nvcc: true, spot_policy: spot}
- {name: c, count: 1, commands: [three], docker: true}
"""


def test_every_key_of_a_group_ends_where_it_is_meant() -> None:
    a, b, c = planned(f"{EVERY_KEY}instance_types: [g6.xlarge]").groups
    ends = {
        "name": (a.group, b.group, c.group),
        "count": (a.replicas.minimum, a.replicas.maximum),
        "scaling": None if a.replicas.scaling is None else a.replicas.scaling.target,
        "resources": (a.offers[0].gpu, a.container.shm_size_mb),
        "commands, docker": [plan.container.arguments[-1].split(" && ")[-1] for plan in (a, b, c)],
        "image, nvcc": [plan.container.image.split("-")[0] for plan in (a, b, c)],
        "python": "--python 3.10" in b.container.arguments[-1],
        "privileged": (a.container.privileged, b.container.privileged, c.container.privileged),
        "spot_policy": (a.purchase.spot_policy, b.purchase.spot_policy),
        "reservation": (a.reservation, b.reservation),
    }
    assert ends == {
        "name": ("a", "b", "c"),
        "count": (2, 3),
        "scaling": 4,
        "resources": ("L4", 3072),
        "commands, docker": ["one", "two", "three"],
        "image, nvcc": ["nginx", "dstackai/base:0.16", "dstackai/dind"],
        "python": True,
        "privileged": (True, False, True),
        "spot_policy": ("on-demand", "spot"),
        "reservation": (Reservation(id="cr-0123456789abcdef0", capacity_block=False), None),
    }
    named = {name for names in ends for name in names.split(", ")}
    assert named == ReplicaGroup.model_fields.keys(), "each key ends somewhere"
