"""Stack config as options of a command."""

from __future__ import annotations

import argparse

from infra.configuration.options import add_options, given_options, option_words, parse


def test_every_word_that_is_true_or_false_needs_no_value() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, option_words())
    words = ("auth", "wait", "preflight", "protect", "manage_api_gateway_account", "audit")
    line = [f"--{word.replace('_', '-')}" for word in words]
    assert given_options(parse(parser, line), option_words()) == dict.fromkeys(words, "true")
    assert given_options(parse(parser, ["--audit", "false", "--gpu", "24GB"]), option_words()) == {
        "gpu": "24GB",
        "audit": "false",
    }


def test_the_help_of_every_option_begins_with_a_small_letter_or_a_name() -> None:
    parser = argparse.ArgumentParser(prog="x", add_help=False)
    add_options(parser, ("gpu", "auth", "preflight", "regions", "zone_id"))
    assert [action.help for action in parser._actions] == [  # pyright: ignore[reportPrivateUsage]
        "GPU that a replica needs, as in the configuration: 24GB, A10G:2, L4,A10G:24GB..:1..2",
        "whether requests need an API key; for a gateway, the default of its services",
        "whether to run preflight, which asks AWS and the Hub before anything is created",
        "AWS regions to choose from: a,b",
        "the Route 53 hosted zone. If not set, it is looked up by domain",
    ]
