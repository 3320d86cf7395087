"""Offers: which instance types satisfy what is asked for, and what is said when none does."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.planning import PlanError, ServicePlan, read_catalog
from infra.planning.offers import find_offers
from infra.planning.requirement import Bounds, Requirement, first_miss, misses, without

Plan = Callable[..., ServicePlan]

SERVICE = "type: service\nimage: i\nport: 80\n"
TWENTY_FOUR = [
    "g6.xlarge", "g6.2xlarge", "g5.xlarge", "g5.2xlarge", "g6.4xlarge", "gr6.4xlarge", "g5.4xlarge", "g6.8xlarge",
    "gr6.8xlarge", "g5.8xlarge", "g6.16xlarge", "g5.16xlarge", "g6.12xlarge", "g5.12xlarge", "g6.24xlarge",
    "g5.24xlarge", "g6.48xlarge", "g5.48xlarge",
]  # fmt: skip


def names(plan: ServicePlan) -> list[str]:
    return [offer.instance_type for offer in plan.offers]


def resources(text: str) -> str:
    return f"{SERVICE}resources: {{{text}}}\n"


@pytest.mark.parametrize(
    ("asked", "offers"),
    [
        ("gpu: 24GB", TWENTY_FOUR),
        ("gpu: {memory: 24GB..24GB, count: 1..}", TWENTY_FOUR),
        ("gpu: '24GB:1'", [name for name in TWENTY_FOUR if not name.endswith(("12xlarge", "24xlarge", "48xlarge"))]),
        ("gpu: 'A10G:2'", []),
        ("gpu: 'a10g:4'", ["g5.12xlarge", "g5.24xlarge"]),
        ("gpu: 'L4,A10G:24GB..:4..8'", [
            "g6.12xlarge", "g5.12xlarge", "g6.24xlarge", "g5.24xlarge", "g6.48xlarge", "g5.48xlarge"]),
        ("gpu: {name: [H100, A100], count: 8}", ["p4d.24xlarge", "p4de.24xlarge", "p5.48xlarge"]),
        ("gpu: 'A100:80GB'", ["p4de.24xlarge"]),
        ("gpu: {total_memory: 64GB, count: 4}", ["g4dn.12xlarge"]),
        ("gpu: {total_memory: 640GB..}", [
            "g7e.48xlarge", "p4de.24xlarge", "p5.48xlarge", "p5en.48xlarge", "p6-b200.48xlarge", "p6-b300.48xlarge"]),
        ("gpu: {compute_capability: 8.9, count: 1}, cpu: 4", ["g6.xlarge", "g6e.xlarge"]),
        ("gpu: {compute_capability: 10.3, count: 8}, memory: 4096GB", ["p6-b300.48xlarge"]),
        ("gpu: 'nvidia:1', cpu: 'x86:4', memory: 16GB", ["g4dn.xlarge", "g6.xlarge", "g5.xlarge"]),
        ("gpu: 48GB, memory: ..64GB", ["g6e.xlarge", "g6e.2xlarge"]),
        ("gpu: 24GB, cpu: arm", []),
        ("gpu: 0", []),
    ],
)  # fmt: skip
def test_offers_are_what_dstack_would_offer_of_the_catalog_by_price(plan: Plan, asked: str, offers: list[str]) -> None:
    """The lists are dstack's own (its models and gpuhunt's `matches` over the same rows)."""
    if offers:
        assert sorted(names(plan(resources(asked)))) == sorted(offers)
        prices = [offer.price for offer in plan(resources(asked)).offers]
        assert prices == sorted(prices)
    else:
        with pytest.raises(PlanError):
            plan(resources(asked))


def test_twenty_four_gigabytes_admit_the_cards_that_are_sold_as_such(plan: Plan) -> None:
    first = plan(resources("gpu: 24GB")).offers[0]
    assert (first.gpu, first.gpu_memory_gb, first.usable_gpu_memory_gb) == ("L4", 24, 22.35)


def test_instance_types_and_max_price_narrow_the_offers(plan: Plan) -> None:
    text = resources("gpu: 24GB") + "instance_types: [g5.xlarge, g6.xlarge, p5.48xlarge]\nmax_price: 1.006\n"
    assert names(plan(text)) == ["g6.xlarge", "g5.xlarge"]


def test_a_spot_ceiling_below_the_list_price_is_aws_to_decide(plan: Plan) -> None:
    text = resources("gpu: 24GB") + "spot_policy: spot\nmax_price: 0.09\n"
    cheap = plan(text)
    assert names(cheap) == ["g6.xlarge"], "spot is at most 90 % below the list price"
    assert cheap.purchase.spot_max_price == 0.09
    with pytest.raises(PlanError, match="max_price"):
        plan(text.replace("0.09", "0.01"))


def test_regions_and_zones_are_passed_on(plan: Plan) -> None:
    made = plan(resources("gpu: 24GB") + "regions: [us-east-1]\navailability_zones: [us-east-1a]\n")
    assert (made.regions, made.availability_zones) == (("us-east-1",), ("us-east-1a",))


def test_a_left_out_gpu_is_said_to_be_undecided(plan: Plan) -> None:
    undecided = plan(SERVICE)
    assert undecided.notes == (
        "gpu is not set, so every GPU that satisfies the other requirements is an offer, the cheapest first, even if "
        "the "
        "model does not fit into its memory. Set gpu, for example 24GB, to be sure.",
        "52 instance types match. AWS allows 40, so the 40 cheapest are used.",
    )
    assert len(undecided.offers) == 40, "the most that an Auto Scaling group allows"
    assert not any("gpu is not set" in note for note in plan(resources("gpu: 1")).notes)


@pytest.mark.parametrize(
    ("disk", "size"),
    [("", 100), ("disk: 50GB..", 100), ("disk: 200GB", 200), ("disk: ..300GB", 100), ("disk: 100.5GB..", 101)],
)
def test_the_disk_is_the_smallest_asked_for_from_a_hundred_gigabytes(plan: Plan, disk: str, size: int) -> None:
    made = plan(resources(f"gpu: 24GB, {disk}"))
    assert (made.disk_gb, {offer.disk_gb for offer in made.offers}) == (size, {size})


@pytest.mark.parametrize("disk", ["50GB", "..80GB", "17TB.."])
def test_a_disk_that_cannot_be_had_is_refused(plan: Plan, disk: str) -> None:
    with pytest.raises(PlanError, match="100GB to 16TB"):
        plan(resources(f"gpu: 24GB, disk: {disk}"))


@pytest.mark.parametrize(
    ("text", "where", "remedy"),
    [
        (
            resources("gpu: 24GB") + "max_price: 0.5\n",
            "max_price",
            "raise max_price by $0.3048 to 0.8048, which gives g6.xlarge (L4:24GB:1, 4 vCPU, 16GB, $0.8048/h)",
        ),
        (
            resources("gpu: 25GB..30GB"),
            "resources.gpu.memory",
            "set gpu memory to 24GB..30GB instead of 25GB..30GB, which gives g6.xlarge (L4:24GB:1, 4 vCPU, 16GB, "
            "$0.8048/h)",
        ),
        (
            resources("gpu: 'H100:2'"),
            "resources.gpu.count",
            "set gpu count to 1 instead of 2, which gives p5.4xlarge (H100:80GB:1, 16 vCPU, 256GB, $6.88/h)",
        ),
        (
            resources("gpu: 'H100:4'"),
            "resources.gpu.count",
            "do one of these: set gpu count to 1 instead of 4, which gives p5.4xlarge (H100:80GB:1, 16 vCPU, 256GB, "
            "$6.88/h); "
            "set gpu count to 8 instead of 4, which gives p5.48xlarge (H100:80GB:8, 192 vCPU, 2048GB, $55.04/h); "
            "add RTXPRO6000 to gpu name, which gives g7e.24xlarge (RTXPRO6000:96GB:4, ",
        ),
        (
            resources("gpu: A10G:9"),
            "resources.gpu.count",
            "set gpu count to 8 instead of 9, which gives g5.48xlarge (A10G:24GB:8, 192 vCPU, 768GB, $16.288/h)",
        ),
        (
            resources("gpu: A10G:9..12"),
            "resources.gpu.count",
            "set gpu count to 8..12 instead of 9..12, which gives g5.48xlarge (A10G:24GB:8, 192 vCPU, 768GB, "
            "$16.288/h)",
        ),
        (
            resources("gpu: V100"),
            "resources.gpu.name",
            "EC2 does not have V100 (16GB or 32GB): use a GPU with the same memory or more, for example T4 (16GB), L4 "
            "(24GB), A10G (24GB)",
        ),
        (
            resources("gpu: 'v100:32GB'"),
            "resources.gpu.name",
            "EC2 does not have v100 (16GB or 32GB): use a GPU with the same memory or more, for example RTXPRO4500 "
            "(32GB), A100 (40GB), L40S (48GB)",
        ),
        (
            resources("gpu: 'RTX4090,A6000'"),
            "resources.gpu.name",
            "EC2 does not have A6000 (48GB), RTX4090 (24GB): use a GPU with the same memory or more, for example L4 "
            "(24GB), A10G (24GB), RTXPRO4500 (32GB)",
        ),
        (
            resources("gpu: 'GB300:400GB'"),
            "resources.gpu.name",
            "AWS has no GPU with the memory of GB300 (270GB): use several smaller ones, or a smaller model",
        ),
        (resources("gpu: H1000"), "resources.gpu.name", "use a name of the catalog, for example H100, H200"),
        (
            resources("gpu: 24GB") + "instance_types: [g5.xlrge]\n",
            "instance_types",
            "use a name of the catalog, for example g5.xlarge",
        ),
        (
            resources("gpu: 24"),
            "resources.gpu.count",
            "set gpu count to 8 instead of 24, which gives g4dn.metal (T4:16GB:8, 96 vCPU, 384GB, $7.824/h); "
            "24 is a number of GPUs, so write 24GB if you mean GPU memory",
        ),
        (resources("gpu: 0"), "resources.gpu.count", "set gpu count to 1 instead of 0, which gives g4dn.xlarge"),
        (
            resources("gpu: 24GB, cpu: arm"),
            "resources.cpu.arch",
            "set cpu arch to x86, or remove it, which gives g6.xlarge",
        ),
        (
            resources("gpu: 'A10G:80GB'") + "max_price: 0.5\n",
            "resources.gpu.memory, max_price",
            "to get the nearest, g5.xlarge (A10G:24GB:1, 4 vCPU, 16GB, $1.006/h): set gpu memory to "
            "24GB instead of 80GB, and raise max_price by $0.506 to 1.006",
        ),
    ],
)  # fmt: skip
def test_no_offer_names_the_nearest_and_what_to_relax_by_how_much(
    plan: Plan, text: str, where: str, remedy: str
) -> None:
    with pytest.raises(PlanError) as caught:
        plan(text)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert remedy in problem.remedy
    assert problem.line is not None


def test_what_is_said_can_be_done(plan: Plan) -> None:
    """The remedy's number, put into the configuration, gives the offer that it names."""
    assert names(plan(resources("gpu: 24GB") + "max_price: 0.8048\n")) == ["g6.xlarge"]
    assert names(plan(resources("gpu: 'H100:1'"))) == ["p5.4xlarge"]


_BOUNDS = st.tuples(st.none() | st.integers(1, 800), st.none() | st.integers(1, 800)).map(
    lambda pair: None if pair == (None, None) else Bounds(low=pair[0], high=pair[1])
)
_REQUIREMENTS = st.builds(
    Requirement,
    cpu=_BOUNDS,
    memory=_BOUNDS,
    gpu_count=_BOUNDS,
    gpu_memory=_BOUNDS,
    gpu_total_memory=_BOUNDS,
    gpu_names=st.none() | st.lists(st.sampled_from(["L4", "a10g", "H100", "V100"])).map(tuple),
    compute_capability=st.none() | st.sampled_from([(8, 0), (9, 0)]),
    max_price=st.none() | st.floats(0.1, 20),
    spot_only=st.booleans(),
)


@given(_REQUIREMENTS)
def test_an_offer_misses_nothing_and_what_is_no_offer_becomes_one_without_its_misses(requirement: Requirement) -> None:
    offered = {offer.instance_type for offer in find_offers(read_catalog(), requirement, disk_gb=100)}
    for instance in read_catalog():
        missed = list(misses(instance, requirement))
        assert (instance.name in offered) is (not missed)
        assert len({miss.key for miss in missed}) == len(missed)
        relaxed = requirement
        for miss in missed:
            assert miss.distance > 0
            relaxed = without(relaxed, miss.key)
        assert first_miss(instance, relaxed) is None


@given(st.randoms(use_true_random=False))
def test_the_order_of_lists_does_not_matter(random: Random) -> None:
    catalog = list(read_catalog())
    listed = ["g5.xlarge", "g6.xlarge", "g4dn.xlarge", "p5.48xlarge"]
    expected = find_offers(read_catalog(), Requirement(instance_types=tuple(listed)), disk_gb=100)
    random.shuffle(catalog)
    random.shuffle(listed)
    assert find_offers(catalog, Requirement(instance_types=tuple(listed)), disk_gb=100) == expected


def test_the_catalog_is_whole_and_sane() -> None:
    catalog = read_catalog()
    assert len({instance.name for instance in catalog}) == len(catalog) == 52
    for instance in catalog:
        assert 0 < instance.usable_gpu_memory_gb <= instance.gpu_memory_gb, instance
        assert instance.gpu_memory_gb * 0.9 < instance.usable_gpu_memory_gb, instance
        assert instance.price > 0, instance
        assert instance.compute_capability >= (7, 5), "the machine image's driver needs Turing or newer"
