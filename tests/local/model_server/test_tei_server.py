"""TEI's API, out of the small embedding model."""

from __future__ import annotations

import base64
import math
import operator
from array import array
from typing import Any

import httpx
import pytest

from tests.local.model_server.conftest import StandIns

CAT, DOG = "The cat sits outside", "The dog plays in the garden"


def test_similarities_are_those_that_the_models_authors_publish(stand_ins: StandIns) -> None:
    """The documentation of sentence-transformers shows these pairs, and 0.2838, -0.0327 and 0.8939 for this model."""
    first = [CAT, "A man is playing guitar", "The new movie is awesome"]
    second = [DOG, "A woman watches TV", "The new movie is so great"]
    vectors = ask(stand_ins.tei, "/embed", inputs=first + second)

    assert [len(vector) for vector in vectors] == [384] * 6
    found = [dot(one, other) for one, other in zip(vectors[:3], vectors[3:], strict=True)]
    assert found == pytest.approx([0.2838, -0.0327, 0.8939], abs=0.0005)


def test_openais_route_gives_the_same_vectors_in_both_encodings(stand_ins: StandIns) -> None:
    [vector] = ask(stand_ins.tei, "/embed", inputs=CAT)
    written = ask(stand_ins.tei, "/v1/embeddings", input=[CAT], model="whatever")
    encoded = ask(stand_ins.tei, "/embeddings", input=CAT, encoding_format="base64")

    assert written == {
        "object": "list",
        "data": [{"object": "embedding", "embedding": vector, "index": 0}],
        "model": "org/embed",
        "usage": {"prompt_tokens": 6, "total_tokens": 6},
    }
    decoded = array("f", base64.b64decode(encoded["data"][0]["embedding"]))
    assert list(decoded) == pytest.approx(vector, abs=1e-6)


def test_a_text_has_the_same_vector_alone_and_in_a_batch_of_256(stand_ins: StandIns) -> None:
    texts = [f"number {place}" for place in range(256)]
    answer = ask(stand_ins.tei, "/v1/embeddings", input=texts)

    assert [one["index"] for one in answer["data"]] == list(range(256))
    [alone] = ask(stand_ins.tei, "/embed", inputs=texts[200])
    assert answer["data"][200]["embedding"] == pytest.approx(alone, abs=1e-5)


def test_headers_say_what_was_computed(stand_ins: StandIns) -> None:
    headers = stand_ins.tei.post("/embed", json={"inputs": [CAT, "a"]}).headers

    assert (headers["x-compute-type"], headers["x-compute-characters"], headers["x-compute-tokens"]) == (
        *("cpu", "21"),
        "9",
    )
    assert int(headers["x-total-time"]) >= int(headers["x-inference-time"]) >= 0


def test_a_long_text_is_cut_at_either_end_or_refused(stand_ins: StandIns) -> None:
    long = f"{CAT} " + "word " * 600 + DOG
    [right] = ask(stand_ins.tei, "/embed", inputs=long)
    [left] = ask(stand_ins.tei, "/embed", inputs=long, truncation_direction="left")
    refused = stand_ins.tei.post("/embed", json={"inputs": long, "truncate": False})

    kept = [f"{CAT} " + "word " * 506, "word " * 504 + DOG]
    beginning, end = ask(stand_ins.tei, "/embed", inputs=kept)
    assert right == pytest.approx(beginning, abs=1e-5)
    assert left == pytest.approx(end, abs=1e-5)
    assert (refused.status_code, refused.json()) == (
        422,
        {"error": "`inputs` must have less than 512 tokens. Given: 612", "error_type": "Validation"},
    )


def test_lengths_and_dimensions_are_as_asked_for(stand_ins: StandIns) -> None:
    [whole] = ask(stand_ins.tei, "/embed", inputs=CAT)
    [few] = ask(stand_ins.tei, "/embed", inputs=CAT, dimensions=8)
    [raw] = ask(stand_ins.tei, "/embed", inputs=CAT, normalize=False)

    assert (math.hypot(*whole), math.hypot(*few), len(few)) == (pytest.approx(1), pytest.approx(1), 8)
    assert [value / math.hypot(*raw) for value in raw] == pytest.approx(whole, abs=1e-5)
    assert math.hypot(*raw) > 2


def test_token_ids_are_read_as_their_text(stand_ins: StandIns) -> None:
    [text] = ask(stand_ins.tei, "/embed", inputs="hello world")
    assert ask(stand_ins.tei, "/embed", inputs=[7592, 2088]) == [pytest.approx(text, abs=1e-5)]
    assert ask(stand_ins.tei, "/embed", inputs=[[7592, 2088], "a"])[0] == pytest.approx(text, abs=1e-5)
    refused = stand_ins.tei.post("/embed", json={"inputs": [99_999_999]})
    assert (refused.status_code, refused.json()["error_type"]) == (422, "Tokenizer")


def test_similarity_compares_with_the_first(stand_ins: StandIns) -> None:
    inputs = {"source_sentence": CAT, "sentences": [CAT, DOG]}
    assert ask(stand_ins.tei, "/similarity", inputs=inputs) == pytest.approx([1, 0.2838], abs=0.0005)


@pytest.mark.parametrize(
    ("body", "status", "message", "kind"),
    [
        ({"inputs": []}, 400, "`inputs` cannot be empty", "Empty"),
        ({"inputs": ""}, 422, "`inputs` cannot be empty", "Validation"),
        ({"inputs": ["a"] * 301}, 422, "batch size 301 > maximum allowed batch size 300", "Validation"),
        ({"inputs": "a", "dimensions": 0}, 422, "`dimensions` should be positive", "Validation"),
        (
            {"inputs": "a", "dimensions": 385},
            422,
            "`dimensions` should be smaller than the maximum embedding dimension.",
            "Validation",
        ),
        (
            {"inputs": "a", "prompt_name": "query"},
            422,
            "`default-prompt-name` is set to `query` but no prompts were found in the Sentence Transformers "
            "configuration",
            "Validation",
        ),
    ],
)
def test_a_broken_rule_is_told_in_both_forms(
    stand_ins: StandIns, body: dict[str, Any], status: int, message: str, kind: str
) -> None:
    own = stand_ins.tei.post("/embed", json=body)
    assert (own.status_code, own.json()) == (status, {"error": message, "error_type": kind})
    if "prompt_name" not in body:
        openais = stand_ins.tei.post("/v1/embeddings", json={"input": body["inputs"], **body})
        assert (openais.status_code, openais.json()) == (status, {"message": message, "code": status, "type": kind})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/rerank", "model is not a re-ranker model"),
        ("/predict", "Model is not a classifier model"),
        ("/embed_sparse", "Model is not an embedding model with SPLADE pooling"),
    ],
)
def test_what_another_model_would_do_is_refused_as_tei_refuses_it(stand_ins: StandIns, path: str, message: str) -> None:
    answer = stand_ins.tei.post(path, json={"inputs": "a"})
    assert (answer.status_code, answer.json()) == (
        424,
        {"error": f"{message}: sentence-transformers/all-MiniLM-L6-v2 stands in here", "error_type": "Backend"},
    )


def test_info_health_and_metrics(stand_ins: StandIns) -> None:
    info = stand_ins.tei.get("/info").json()
    assert info.pop("note") == (
        "sentence-transformers/all-MiniLM-L6-v2 on llama.cpp stands in for org/embed on this machine; its embeddings "
        "have 384 dimensions"
    )
    assert info == {
        "model_id": "sentence-transformers/all-MiniLM-L6-v2",
        "model_sha": None,
        "model_dtype": "float32",
        "served_model_name": "org/embed",
        "model_type": {"embedding": {"pooling": "mean"}},
        "max_concurrent_requests": 512,
        "max_input_length": 512,
        "max_batch_tokens": 16384,
        "max_batch_requests": None,
        "max_client_batch_size": 300,
        "auto_truncate": True,
        "tokenization_workers": 1,
        "version": "1.9.3",
        "sha": None,
        "docker_label": None,
    }
    assert (stand_ins.tei.get("/health").status_code, stand_ins.tei.get("/health").content) == (200, b"")
    names = ("te_embed_success", 'te_request_count{method="batch"}', 'te_request_success{method="batch"}')
    ask(stand_ins.tei, "/embed", inputs=["a"])
    before = [metric(stand_ins, name) for name in names]
    ask(stand_ins.tei, "/embed", inputs="a")
    ask(stand_ins.tei, "/embed", inputs=["a", "b"])
    after = [metric(stand_ins, name) for name in names]
    assert [one - other for one, other in zip(after, before, strict=True)] == [3, 1, 1]


def test_a_path_that_is_not_there_names_those_that_are(stand_ins: StandIns) -> None:
    answer = stand_ins.tei.post("/v1/chat/completions", json={})
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("no route /v1/chat/completions. This server has: POST /")


def metric(stand_ins: StandIns, name: str) -> float:
    [line] = [line for line in stand_ins.tei.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def dot(one: list[float], other: list[float]) -> float:
    return sum(map(operator.mul, one, other))


def ask(client: httpx.Client, path: str, **body: Any) -> Any:
    """The answer to a request that has to work."""
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()
