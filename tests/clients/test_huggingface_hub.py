"""The Hub's client: on the gateway, and on a run's own address."""

from __future__ import annotations

from tests.clients.conftest import Programs
from tests.clients.conversations import CONVERSATIONS
from tests.clients.prompts import BOTH_TURNS, prompt_of, tools_of, with_letters
from tests.clients.replica import answers, fits
from tests.clients.weather import WEATHER
from tests.gateway.serving import Bench

PLACE = '{"name": "Paris", "mayor": null}'


def test_chats_and_errors_on_the_gateway(program: Programs, served: Bench) -> None:
    assert program("huggingface-hub").run(served.url, "chat", "errors") == {
        "chat": ["Hello world", "Hello world", "stop"],
        "errors": {
            "unknown": ["HfHubHTTPError", 404],
            "closed": ["HfHubHTTPError", 401],
            "too-long": ["BadRequestError", 400],
            "overloaded": ["HfHubHTTPError", 429],
            "failing": ["HfHubHTTPError", 500],
            "gone": ["HfHubHTTPError", 502],
        },
    }


def test_a_tool_is_called_and_its_results_are_answered(program: Programs, served: Bench) -> None:
    found = program("huggingface-hub").run(served.url, "tool_loop")
    assert with_letters(found["tool_loop"]) == CONVERSATIONS
    assert [prompt_of(asked) for asked in served.tgi.generated] == BOTH_TURNS
    assert [tools_of(asked) for asked in served.tgi.generated] == [[WEATHER]] * 6


def test_formats_of_answers_in_tgis_form_and_in_openais(program: Programs, served: Bench) -> None:
    served.tgi.usual = answers(structured=PLACE)
    assert program("huggingface-hub").run(served.url, "structured") == {"structured": [PLACE, PLACE]}
    tgis, openais = served.tgi.generated
    assert fits(tgis, PLACE)
    assert fits(openais, PLACE)
    assert not fits(tgis, PLACE.replace("null", "1"))


def test_tgis_own_interface_at_the_address_of_a_run(program: Programs, served: Bench) -> None:
    assert program("huggingface-hub").run(served.url, "generate", "errors_of_a_run") == {
        "generate": {
            "text": "Hello world",
            "tokens": ["Hel", "lo ", "wor", "ld", "</s>"],
            "finish_reason": "eos_token",
            "stream": ["Hel", "lo ", "wor", "ld", "</s>"],
        },
        "errors_of_a_run": {
            "too-long": [
                "ValidationError",
                "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000",
            ],
            "overloaded": ["OverloadedError", "Model is overloaded"],
        },
    }
