"""When a replica is put aside, for how long, and what brings it back: by a clock that the test moves."""

from __future__ import annotations

from gateway_lambda.upstream.health import Health, News


def one() -> Health:
    """Of a replica that is not the only one, and has answered a request."""
    health = Health(News())
    health.succeeded(0)
    return health


def is_well(health: Health) -> bool:
    return health.silent < health.limit and not health.aside_until


def test_one_or_two_failures_do_not_put_a_replica_aside_and_the_third_does() -> None:
    health = one()
    assert [(health.failed(10.0), health.aside_until) for _ in range(3)] == [(0.0, 0.0), (0.0, 0.0), (2.0, 12.0)]


def test_each_pause_is_twice_as_long_as_the_one_before_up_to_half_a_minute() -> None:
    health, now, pauses = one(), 0.0, []
    for _ in range(12):
        pauses.append(health.failed(now))
        now += pauses[-1]
    assert pauses == [0.0, 0.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0]


def test_what_fails_while_a_replica_is_put_aside_makes_its_pause_no_longer() -> None:
    health = one()
    for _ in range(20):
        health.failed(5.0)
    assert health.aside_until == 7.0


def test_after_its_pause_a_replica_has_one_request_until_that_is_answered() -> None:
    health = one()
    for _ in range(3):
        health.failed(0.0)
    health.passed()
    assert is_well(health)
    health.given(2.5)
    health.there()
    assert not is_well(health)
    health.succeeded(health.failed_times)
    assert (is_well(health), health.failures, health.limit) == (True, 0, 4)


def test_a_trial_that_fails_doubles_the_pause_and_one_without_an_end_is_repeated() -> None:
    health = one()
    for _ in range(3):
        health.failed(0.0)
    health.passed()
    health.given(2.0)
    assert (health.failed(2.5), health.aside_until) == (4.0, 6.5)
    health.passed()
    health.given(7.0)
    assert health.aside_until == 11.0
    health.passed()
    assert is_well(health)


def test_a_success_takes_back_the_failures_before_it_but_not_those_since_it_was_asked_for() -> None:
    health = one()
    asked_at = health.failed_times
    health.failed(0.0)
    health.succeeded(asked_at)
    assert (health.failures, health.limit) == (1, 1)
    health.succeeded(health.failed_times)
    assert (health.failures, health.limit) == (0, 4)


def test_a_replica_without_a_sign_of_life_gets_no_more_than_four_requests_and_a_new_one_two() -> None:
    for health, most in ((one(), 4), (Health(News()), 2)):
        given = 0
        while is_well(health):
            health.given(0.0)
            given += 1
        assert given == most
        health.there()
        assert is_well(health)


def test_the_only_address_of_a_run_is_never_put_aside() -> None:
    health = Health()
    assert [health.failed(0.0) for _ in range(50)] == [0.0] * 50
    assert health.aside_until == 0.0
