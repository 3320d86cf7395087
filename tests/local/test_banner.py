"""The banner: everything a user needs, whole."""

from __future__ import annotations

from typing import Any

import pytest

from infra.planning.catalog import PRICES_AS_OF, PRICES_REGION
from infra.planning.chat_template import ChatTemplate
from local import stand_in
from local.arguments import read_arguments
from local.banner import Run, banner
from local.runs import plan_runs
from local.weights import small_weights
from tests.support.local_service import LLAMA_2
from tests.support.processes import ROOT


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_the_banner_of_the_documents_second_configuration() -> None:
    assert banner([_run("--gpu", "A10G:24GB:1", "--max-price", "1.3")], port=8000, key="sk-x") == (
        f"""\
Open this page in a browser to chat with the models: http://127.0.0.1:8000/

llama  ({LLAMA_2})
  on AWS   ghcr.io/huggingface/text-generation-inference:latest, on g5.xlarge (A10G, 24 GB, $1.01 an hour) or \
g5.2xlarge (A10G, 24 GB, $1.21 an hour)
           (list prices in {PRICES_REGION} on {PRICES_AS_OF})
  here     a server
  run      http://127.0.0.1:8000/services/llama/ and http://llama.localhost:8000/
  model    TheBloke/Llama-2-13B-chat-GPTQ

OpenAI API: http://127.0.0.1:8000/v1, also http://127.0.0.1:8000 and http://gateway.localhost:8000 \
(in browsers and curl)

API key (only for this start, shown once): sk-x

"""
        r"""curl http://127.0.0.1:8000/services/llama/generate \
    -X POST \
    -d '{"inputs": "<s>[INST] What is your favourite condiment?[/INST]", "parameters": {"max_new_tokens": 60}}' \
    -H 'Content-Type: application/json' \
    -H 'Authorization: Bearer sk-x'

# pip install openai
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="sk-x")
completion = client.chat.completions.create(
    model="TheBloke/Llama-2-13B-chat-GPTQ",
    messages=[{"role": "user", "content": "What is your favourite condiment?"}],
    max_tokens=60,
)
print(completion.choices[0].message.content)

Open this page in a browser to chat with the models: http://127.0.0.1:8000/
Ctrl-C ends everything."""
    )


def test_prose_is_broken_at_the_width_of_a_terminal_and_what_is_pasted_is_not() -> None:
    wide, narrow = (banner([_run()], port=8000, key=None, columns=columns) for columns in (None, 80))
    prose = narrow[: narrow.index("\ncurl ")]
    assert max(map(len, prose.splitlines())) < 80
    assert " ".join(narrow.split()) == " ".join(wide.split())
    assert narrow[narrow.index("\ncurl ") :] == wide[wide.index("\ncurl ") :]
    assert prose.splitlines()[3:6] == [
        "  on AWS   ghcr.io/huggingface/text-generation-inference:latest, on g4dn.xlarge",
        "           (T4, 16 GB, $0.53 an hour), g4dn.2xlarge (T4, 16 GB, $0.75 an hour),",
        "           g6.xlarge (L4, 24 GB, $0.80 an hour) or 37 more",
    ]


def test_runs_that_share_a_model_are_said_to() -> None:
    runs = [_run(), _run("--name", "other")]
    assert "TheBloke/Llama-2-13B-chat-GPTQ is the model of llama and other, which share its requests." in (
        banner(runs, port=8000, key=None).splitlines()
    )


def test_many_offers_are_counted_and_not_listed() -> None:
    offers = [line for line in banner([_run()], port=8000, key=None).splitlines() if line.startswith("  on AWS")]
    assert offers == [
        "  on AWS   ghcr.io/huggingface/text-generation-inference:latest, on g4dn.xlarge (T4, 16 GB, $0.53 an hour), "
        "g4dn.2xlarge (T4, 16 GB, $0.75 an hour), g6.xlarge (L4, 24 GB, $0.80 an hour) or 37 more"
    ]


def test_a_server_that_speaks_openais_interface_is_asked_in_it() -> None:
    curl = banner([_run(speaks="openai")], port=8000, key=None).split("\n\n")[3]
    assert curl == (
        r"""curl http://127.0.0.1:8000/services/llama/v1/chat/completions \
    -X POST \
    -d '{"model": "TheBloke/Llama-2-13B-chat-GPTQ", "messages": [{"role": "user", "content": """
        r""""What is your favourite condiment?"}], "max_tokens": 60}' \
    -H 'Content-Type: application/json'"""
    )


def _run(*flags: str, speaks: str = "tgi") -> Run:
    arguments = read_arguments([LLAMA_2, "--name", "llama", *flags])
    (planned,) = plan_runs(arguments, environment={}, resolve=_unasked)
    return Run(configuration=planned.configuration, plan=planned.plan, server="a server", speaks=speaks)


def _unasked(_: Any) -> ChatTemplate:
    return stand_in.own_template(small_weights())
