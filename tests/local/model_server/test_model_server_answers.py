"""What the stand-in model answers: TGI's shapes, with the model's own numbers in them."""

from __future__ import annotations

import math
import subprocess

import pytest

from tests.local.model_server.conftest import STANDS_IN_FOR, ModelServer, read_events

DOCUMENT = '{"inputs":"<s>[INST] What is your favourite condiment?[/INST]"}'
CHAT = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
COUNTING = "1 2 3 4 5"


def test_the_documents_curl_is_answered_with_text(model_server: ModelServer) -> None:
    command = ["curl", "-s", f"{model_server.url}/generate", "-X", "POST", "-d", DOCUMENT]
    answer = subprocess.run([*command, "-H", "Content-Type: application/json"], capture_output=True, check=True)

    assert answer.stdout.startswith(b'{"generated_text":"')


def test_info_says_what_is_stood_in_for_and_tells_the_truth_of_itself(model_server: ModelServer) -> None:
    infos = [model_server.http.get(f"{url}/info").json() for url in model_server.urls]

    notes = [info.pop("note") for info in infos]
    assert all(name in note for name, note in zip(STANDS_IN_FOR, notes, strict=True))
    assert infos == [
        {
            "model_id": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "model_sha": None,
            "model_pipeline_tag": "text-generation",
            "max_concurrent_requests": 6,
            "max_best_of": 2,
            "max_stop_sequences": 4,
            "max_input_tokens": 8191,
            "max_total_tokens": 8192,
            "validation_workers": 1,
            "max_client_batch_size": 4,
            "router": "servestack-stand-in",
            "version": "3.3.7",
            "sha": None,
            "docker_label": None,
            "stands_in_for": name,
        }
        for name in STANDS_IN_FOR
    ]


@pytest.mark.parametrize("path", ["/health", "/ping"])
def test_health_is_an_empty_answer(model_server: ModelServer, path: str) -> None:
    response = model_server.http.get(path)

    assert (response.status_code, response.content) == (200, b"")


def test_greedy_answers_are_what_the_model_knows(model_server: ModelServer) -> None:
    assert model_server.generate(CHAT, max_new_tokens=20) == {"generated_text": "The capital of France is Paris."}


def test_details_count_tokens_and_name_each_with_its_log_probability(model_server: ModelServer) -> None:
    answer = model_server.generate(CHAT, max_new_tokens=20, details=True)

    details = answer["details"]
    logprobs = [token.pop("logprob") for token in details["tokens"]]
    assert details == {
        "finish_reason": "eos_token",
        "generated_tokens": 8,
        "seed": None,
        "prefill": [],
        "tokens": [
            {"id": 504, "text": "The", "special": False},
            {"id": 3575, "text": " capital", "special": False},
            {"id": 282, "text": " of", "special": False},
            {"id": 4649, "text": " France", "special": False},
            {"id": 314, "text": " is", "special": False},
            {"id": 7042, "text": " Paris", "special": False},
            {"id": 30, "text": ".", "special": False},
            {"id": 2, "text": "<|im_end|>", "special": True},
        ],
    }
    assert all(-20 < logprob < 0 for logprob in logprobs)


def test_headers_tell_counts_and_times(model_server: ModelServer) -> None:
    response = model_server.http.post("/generate", json={"inputs": COUNTING, "parameters": {"max_new_tokens": 3}})

    told = {name: value for name, value in response.headers.items() if name.startswith("x-")}
    times = ["compute-time", "total-time", "validation-time", "queue-time", "inference-time", "time-per-token"]
    assert all(float(told.pop(f"x-{name}")) >= 0 for name in times)
    assert told == {
        "x-compute-type": "cpu",
        "x-compute-characters": "9",
        "x-prompt-tokens": "9",
        "x-generated-tokens": "3",
    }


def test_a_stream_gives_the_same_tokens_and_only_the_last_event_the_whole(model_server: ModelServer) -> None:
    whole = model_server.generate(COUNTING, max_new_tokens=6, seed=7, do_sample=True, details=True)
    events = model_server.stream(COUNTING, max_new_tokens=6, seed=7, do_sample=True, details=True)

    *intermediate, last = events
    assert [event["token"] for event in events] == whole["details"]["tokens"]
    assert [event["index"] for event in events] == [1, 2, 3, 4, 5, 6]
    assert [(event["generated_text"], event["details"]) for event in intermediate] == [(None, None)] * 5
    assert last["generated_text"] == whole["generated_text"]
    assert last["details"] == {"finish_reason": "length", "generated_tokens": 6, "seed": 7, "input_length": 9}


def test_stream_headers_are_those_of_tgi(model_server: ModelServer) -> None:
    response = model_server.http.post("/generate_stream", json={"inputs": "Hé", "parameters": {"max_new_tokens": 1}})

    names = ("content-type", "cache-control", "x-accel-buffering", "x-compute-type", "x-compute-characters")
    assert [response.headers[name] for name in names] == ["text/event-stream", "no-cache", "no", "cpu", "2"]


def test_the_root_answers_with_a_list_and_the_full_text(model_server: ModelServer) -> None:
    body = {"inputs": COUNTING, "parameters": {"max_new_tokens": 4}}

    assert model_server.http.post("/", json=body).json() == [{"generated_text": "1 2 3 4 5 6 7"}]


def test_the_root_streams_on_request(model_server: ModelServer) -> None:
    body = {"inputs": COUNTING, "parameters": {"max_new_tokens": 4, "return_full_text": False}, "stream": True}

    events = read_events(model_server.http.post("/", json=body).text)
    assert [event["generated_text"] for event in events] == [None, None, None, " 6 7"]


def test_return_full_text_puts_the_prompt_in_front(model_server: ModelServer) -> None:
    assert model_server.generate(COUNTING, max_new_tokens=2, return_full_text=True) == {"generated_text": "1 2 3 4 5 6"}


def test_a_request_without_parameters_samples_and_one_with_empty_parameters_does_not(
    model_server: ModelServer,
) -> None:
    bare = {model_server.http.post("/generate", json={"inputs": "Once upon"}).text for _ in range(2)}
    empty = {model_server.http.post("/generate", json={"inputs": "Once upon", "parameters": {}}).text for _ in range(2)}

    assert (len(bare), len(empty)) == (2, 1)


def test_a_budget_that_is_not_named_is_a_hundred_tokens(model_server: ModelServer) -> None:
    answer = model_server.generate(COUNTING, details=True)

    assert (answer["details"]["finish_reason"], answer["details"]["generated_tokens"]) == ("length", 100)


def test_null_lets_an_answer_run_to_its_end(model_server: ModelServer) -> None:
    answer = model_server.generate(CHAT + "Paris is", details=True, max_new_tokens=None)

    assert answer["details"]["finish_reason"] == "eos_token"


@pytest.mark.parametrize(
    ("parameters", "samples"),
    [
        ({"do_sample": False, "temperature": 1.0}, False),
        ({"do_sample": False, "temperature": 0.7}, True),
        ({"do_sample": False, "top_k": 5}, True),
        ({"do_sample": False, "top_p": 0.5}, True),
        ({"do_sample": False, "typical_p": 0.5}, True),
        ({"do_sample": True}, True),
        ({"repetition_penalty": 1.2}, False),
    ],
)
def test_any_filter_makes_it_sample_and_only_then_a_seed_is_told(
    model_server: ModelServer, parameters: dict[str, object], samples: bool
) -> None:
    answer = model_server.generate("Hello", max_new_tokens=1, details=True, seed=2**64 - 1, **parameters)

    assert answer["details"]["seed"] == (2**64 - 1 if samples else None)


def test_a_seed_that_was_told_gives_the_same_answer_again(model_server: ModelServer) -> None:
    first = model_server.generate("Once upon a time", max_new_tokens=12, details=True, do_sample=True)
    again = model_server.generate(
        "Once upon a time", max_new_tokens=12, details=True, do_sample=True, seed=first["details"]["seed"]
    )

    assert again == first


def test_seeds_that_differ_only_in_their_high_bits_give_different_answers(model_server: ModelServer) -> None:
    answers = [
        model_server.generate("Once upon a time", max_new_tokens=12, do_sample=True, seed=seed)["generated_text"]
        for seed in (5, 5 + 2**32, 5 + 2**63)
    ]

    assert len(set(answers)) == 3


def test_a_request_without_a_filter_draws_no_unlikely_token(model_server: ModelServer) -> None:
    drawn = [
        model_server.generate(
            "Once upon a time", max_new_tokens=1, details=True, top_n_tokens=1, temperature=50, **more
        )
        for seed in range(6)
        for more in ({"seed": seed}, {"seed": seed, "top_k": 40_000})
    ]

    distances = [
        one["details"]["top_tokens"][0][0]["logprob"] - one["details"]["tokens"][0]["logprob"] for one in drawn
    ]
    assert max(distances[::2]) <= math.log(20)
    assert min(distances[1::2]) > math.log(20), "a filter of the request replaces the own one"


def test_a_tiny_temperature_takes_the_likeliest_tokens(model_server: ModelServer) -> None:
    greedy = model_server.generate(COUNTING, max_new_tokens=8)

    assert model_server.generate(COUNTING, max_new_tokens=8, temperature=0.001, seed=3) == greedy
    assert model_server.generate(COUNTING, max_new_tokens=8, top_k=1, seed=3) == greedy


def test_penalties_keep_the_model_from_repeating(model_server: ModelServer) -> None:
    repeated = model_server.generate("ha ha ha ha", max_new_tokens=10)["generated_text"]

    assert repeated.count("ha") >= 4
    for penalty in ({"repetition_penalty": 1.8}, {"frequency_penalty": 2.0}):
        assert model_server.generate("ha ha ha ha", max_new_tokens=10, **penalty)["generated_text"].count("ha") < 4


def test_a_stop_sequence_ends_the_answer_and_stays_in_it(model_server: ModelServer) -> None:
    answer = model_server.generate(COUNTING, max_new_tokens=20, stop=["8"], details=True)

    assert answer["generated_text"] == " 6 7 8"
    assert answer["details"]["finish_reason"] == "stop_sequence"


def test_a_stop_sequence_within_a_token_does_not_end_it(model_server: ModelServer) -> None:
    answer = model_server.generate(CHAT, max_new_tokens=20, stop=["Par"], details=True)

    assert answer["generated_text"] == "The capital of France is Paris."
    assert answer["details"]["finish_reason"] == "eos_token"


def test_a_stop_sequence_over_two_tokens_ends_it(model_server: ModelServer) -> None:
    assert (
        model_server.generate(CHAT, max_new_tokens=20, stop=["nce is"])["generated_text"] == "The capital of France is"
    )


def test_the_budget_is_looked_at_before_the_end_of_sequence(model_server: ModelServer) -> None:
    details = model_server.generate(CHAT, max_new_tokens=8, details=True)["details"]

    assert (details["tokens"][-1]["text"], details["finish_reason"]) == ("<|im_end|>", "length")


def test_top_tokens_are_the_likeliest_with_the_chosen_ones_number(model_server: ModelServer) -> None:
    details = model_server.generate(COUNTING, max_new_tokens=3, details=True, top_n_tokens=4)["details"]

    for token, top in zip(details["tokens"], details["top_tokens"], strict=True):
        assert top[0] == token
        assert len(top) == 4
        assert [one["logprob"] for one in top] == sorted((one["logprob"] for one in top), reverse=True)
        assert sum(math.exp(one["logprob"]) for one in top) <= 1


def test_the_prompts_log_probabilities_are_those_of_the_same_text_generated(model_server: ModelServer) -> None:
    generated = model_server.generate(COUNTING, max_new_tokens=6, details=True)
    prefill = model_server.generate(
        COUNTING + generated["generated_text"], max_new_tokens=1, decoder_input_details=True
    )["details"]["prefill"]

    told = [{"id": one["id"], "text": one["text"], "logprob": one["logprob"]} for one in generated["details"]["tokens"]]
    assert prefill[0] == {"id": 33, "text": "1", "logprob": None}
    assert prefill[-6:] == told


def test_parts_of_characters_have_log_probabilities_too(model_server: ModelServer) -> None:
    details = model_server.generate("a 日本𝔘 b", max_new_tokens=1, decoder_input_details=True)["details"]

    part = "\ufffd"
    texts = [one["text"] for one in details["prefill"]]
    assert texts == ["a", f" {part}", part, part, "本", part, part, part, " b"]
    assert [one["logprob"] is None for one in details["prefill"]] == [True] + [False] * 8


def test_a_character_comes_with_its_last_token_and_not_before(model_server: ModelServer) -> None:
    pattern = {"type": "regex", "value": "日語𝔘"}
    events = model_server.stream("Write:", max_new_tokens=20, grammar=pattern)

    text = "".join(event["token"]["text"] for event in events if not event["token"]["special"])
    assert text == events[-1]["generated_text"] == "日語𝔘"
    assert any(event["token"]["text"] == "" for event in events)


def test_an_answer_that_ends_within_a_character_has_no_text_as_in_tgi(model_server: ModelServer) -> None:
    pattern = {"type": "regex", "value": "𝔘"}

    assert model_server.generate("Write:", max_new_tokens=1, grammar=pattern) == {"generated_text": ""}


def test_best_of_gives_the_likelier_of_two_answers_and_the_other(model_server: ModelServer) -> None:
    details = model_server.generate("Once upon", max_new_tokens=6, best_of=2, do_sample=True, details=True)["details"]

    [other] = details["best_of_sequences"]
    means = [sum(token["logprob"] for token in one["tokens"]) / len(one["tokens"]) for one in (details, other)]
    assert means[0] >= means[1]
    assert details["seed"] != other["seed"]
    assert set(other) == {"generated_text", "finish_reason", "generated_tokens", "seed", "prefill", "tokens"}


def test_truncate_keeps_the_last_tokens_of_the_prompt(model_server: ModelServer) -> None:
    response = model_server.http.post(
        "/generate",
        json={"inputs": "9 9 9 " + COUNTING, "parameters": {"truncate": 9, "max_new_tokens": 4, "details": True}},
    )

    assert (response.headers["x-prompt-tokens"], response.json()["generated_text"]) == ("9", " 6 7")


def test_tokenize_gives_ids_texts_and_places_in_bytes(model_server: ModelServer) -> None:
    tokens = model_server.http.post("/tokenize", json={"inputs": "<|im_start|>Hi 日é"}).json()

    assert tokens == [
        {"id": 1, "text": "<|im_start|>", "start": 0, "stop": 12},
        {"id": 26843, "text": "Hi", "start": 12, "stop": 14},
        {"id": 17097, "text": " 日", "start": 14, "stop": 18},
        {"id": 241, "text": "日", "start": 15, "stop": 18},
        {"id": 115, "text": "日", "start": 15, "stop": 18},
        {"id": 2756, "text": "é", "start": 18, "stop": 20},
    ]


def test_the_tokenizer_adds_nothing_in_front(model_server: ModelServer) -> None:
    assert model_server.http.post("/tokenize", json={"inputs": "a"}).json() == [
        {"id": 81, "text": "a", "start": 0, "stop": 1}
    ]


def test_metrics_count_requests_answers_and_tokens(model_server: ModelServer) -> None:
    names = ("tgi_request_count", "tgi_request_success", "tgi_request_generated_tokens_sum")
    before = [model_server.metric(name) for name in names]
    model_server.generate(COUNTING, max_new_tokens=3)

    assert [model_server.metric(name) for name in names] == [before[0] + 1, before[1] + 1, before[2] + 3]
