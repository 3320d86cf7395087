"""LiteLLM, which maps errors to classes of its own."""

from __future__ import annotations

from tests.clients.conftest import Programs
from tests.clients.conversations import CONVERSATIONS
from tests.clients.prompts import BOTH_TURNS, prompt_of, tools_of, with_letters
from tests.clients.weather import WEATHER
from tests.gateway.serving import Bench


def test_errors_have_their_classes_and_tools_are_called(program: Programs, served: Bench) -> None:
    """One program does both, because LiteLLM takes seconds to start."""
    found = program("litellm").run(served.url, "errors", "tool_loop")
    assert found["errors"] == {
        "unknown": ["NotFoundError", 404],
        "closed": ["AuthenticationError", 401],
        "too-long": ["ContextWindowExceededError", 400],
        "overloaded": ["RateLimitError", 429],
        "failing": ["InternalServerError", 500],
        "gone": ["BadGatewayError", 502],
    }
    messages = with_letters(found["tool_loop"])
    assert {model: [{"content": None, **each} for each in kept] for model, kept in messages.items()} == CONVERSATIONS
    assert [prompt_of(asked) for asked in served.tgi.generated] == BOTH_TURNS
    assert [tools_of(asked) for asked in served.tgi.generated] == [[WEATHER]] * 6
