"""Chat templates from the Hub, with the real huggingface_hub (docs/translation.md#where-a-template-comes-from)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.configuration import Secret
from infra.planning import (
    HubError,
    HubOutOfReachError,
    ModelRepository,
    OpenRepository,
    find_chat_template,
    resolve_with,
)
from infra.planning.hub import open_on_hub
from infra.planning.special_tokens import Tokens
from tests.planning.hub_server import SHA, TOKEN, Hub, Repository

NAME = "owner/model"
ROOT = Path(__file__).parents[2]


def config(**values: object) -> bytes:
    return json.dumps(values).encode()


def found(open_repository: OpenRepository, *, token: str | None = None, revision: str | None = None):
    secret = None if token is None else Secret(token)
    return resolve_with(open_repository)(ModelRepository(repo=NAME, revision=revision, token=secret))


def error(open_repository: OpenRepository, *, token: str | None = None, revision: str | None = None) -> HubError:
    with pytest.raises(HubError) as caught:
        found(open_repository, token=token, revision=revision)
    told = f"{caught.value} {caught.value!r} {caught.value.args}"
    assert token is None or token not in told, "a token is never shown"
    assert caught.value.__cause__ is None, "the library's own exception would be printed with it"
    return caught.value


LISTED = [{"name": "default", "template": "D"}, {"name": "tool_use", "template": "T"}]


@pytest.mark.parametrize(
    ("files", "template", "named", "origin"),
    [
        ({"tokenizer_config.json": config(chat_template="S")}, "S", {}, "tokenizer_config.json"),
        ({"tokenizer_config.json": config(chat_template=LISTED)}, "D", {"tool_use": "T"}, "tokenizer_config.json"),
        (
            {"chat_template.jinja": b"J", "tokenizer_config.json": config(chat_template="S")},
            "J",
            {},
            "chat_template.jinja",
        ),
        (
            {"chat_template.json": config(chat_template="C"), "tokenizer_config.json": config(chat_template="S")},
            "C",
            {},
            "chat_template.json",
        ),
        ({"chat_template.json": config(chat_template=LISTED)}, "D", {"tool_use": "T"}, "chat_template.json"),
        ({"processor_config.json": config(chat_template="P")}, "P", {}, "processor_config.json"),
        (
            {
                "chat_template.jinja": b"J",
                "additional_chat_templates/rag.jinja": b"R",
                "additional_chat_templates/tool_use.jinja": b"U",
                "additional_chat_templates/notes.txt": b"no template",
            },
            "J",
            {"rag": "R", "tool_use": "U"},
            "chat_template.jinja",
        ),
        (
            {
                "additional_chat_templates/tool_use.jinja": b"U",
                "tokenizer_config.json": config(chat_template=LISTED),
            },
            "D",
            {"tool_use": "U"},
            "tokenizer_config.json",
        ),
        (
            {"chat_template.jinja": b"", "tokenizer_config.json": config(chat_template="S")},
            "S",
            {},
            "tokenizer_config.json",
        ),
        ({"chat_template.jinja": "é\u2028🙂".encode()}, "é\u2028🙂", {}, "chat_template.jinja"),
    ],
)
def test_templates_are_taken_from_the_first_file_that_has_one(
    hub: Hub,
    open_repository: OpenRepository,
    files: dict[str, bytes],
    template: str,
    named: dict[str, str],
    origin: str,
) -> None:
    """P49, with the next test."""
    hub.repositories[NAME] = Repository(files)
    resolved = found(open_repository)
    assert (resolved.template, resolved.named, resolved.origin) == (template, named, f"{origin} of {NAME}")
    assert resolved.sha == SHA


def test_a_repository_without_a_template_is_an_error_that_names_what_was_tried(
    hub: Hub, open_repository: OpenRepository
) -> None:
    hub.repositories[NAME] = Repository({"tokenizer_config.json": config(eos_token="</s>"), "README.md": b"#"})
    assert error(open_repository).rule == (
        "owner/model has no chat template (looked in chat_template.jinja, additional_chat_templates/*.jinja, "
        "chat_template.json, tokenizer_config.json, processor_config.json): a model that was not trained for chat has "
        "none"
    )


def test_named_templates_without_a_default_are_an_error_that_names_them(
    hub: Hub, open_repository: OpenRepository
) -> None:
    hub.repositories[NAME] = Repository({"tokenizer_config.json": config(chat_template=LISTED[1:])})
    assert "has chat templates named tool_use, but none named default" in error(open_repository).rule


@pytest.mark.parametrize("value", [7, {"default": 1}, ["text"], [{"name": "default"}], True])
def test_a_template_of_another_shape_is_refused(hub: Hub, open_repository: OpenRepository, value: object) -> None:
    hub.repositories[NAME] = Repository({"tokenizer_config.json": config(chat_template=value)})
    assert "neither a text nor a list" in error(open_repository).rule


@pytest.mark.parametrize("contents", [b"{", b"[]", b"\xff\xfe{}", b"[" * 100_000])
def test_a_file_that_is_no_json_object_is_an_error_with_its_name(
    hub: Hub, open_repository: OpenRepository, contents: bytes
) -> None:
    hub.repositories[NAME] = Repository({"tokenizer_config.json": contents})
    assert error(open_repository).rule.startswith("tokenizer_config.json of owner/model is not")


ADDED = {"1": {"content": "<s>"}, "2": {"content": "</s>"}, "7": {"content": "<|eot|>"}, "8": {"content": "<pad>"}}


@pytest.mark.parametrize(
    ("files", "tokens"),
    [
        (
            {"tokenizer_config.json": config(eos_token="</s>", bos_token="<s>", unk_token=None)},
            Tokens(eos="</s>", bos="<s>", others={}, ends=("</s>",)),
        ),
        (
            {"tokenizer_config.json": config(eos_token={"content": "</s>", "lstrip": False}, pad_token="<pad>")},
            Tokens(eos="</s>", bos=None, others={"pad_token": "<pad>"}, ends=("</s>",)),
        ),
        (
            {
                "tokenizer_config.json": config(eos_token=None),
                "special_tokens_map.json": config(eos_token={"content": "<end>"}, bos_token="<begin>"),
            },
            Tokens(eos="<end>", bos="<begin>", others={}, ends=("<end>",)),
        ),
        (
            {
                "tokenizer_config.json": config(added_tokens_decoder=ADDED),
                "generation_config.json": config(eos_token_id=[2, 7, 99], bos_token_id=1, pad_token_id=8),
            },
            Tokens(eos="</s>", bos="<s>", others={"pad_token": "<pad>"}, ends=("</s>", "<|eot|>")),
        ),
        (
            {
                "tokenizer_config.json": config(eos_token="<|eot|>", bos_token=None, added_tokens_decoder=ADDED),
                "generation_config.json": config(eos_token_id=[2, 7]),
                "config.json": config(eos_token_id=2, bos_token_id=1),
            },
            Tokens(eos="<|eot|>", bos=None, others={}, ends=("<|eot|>", "</s>")),
        ),
        (
            {
                "config.json": config(text_config={"eos_token_id": 2}),
                "tokenizer.json": config(added_tokens=[{"id": 2, "content": "</s>"}], model={"vocab": {"x": 2}}),
            },
            Tokens(eos="</s>", bos=None, others={}, ends=("</s>",)),
        ),
        (
            {"config.json": config(eos_token_id=1), "tokenizer.json": config(model={"vocab": [["a", 0], ["</s>", 0]]})},
            Tokens(eos="</s>", bos=None, others={}, ends=("</s>",)),
        ),
        (
            {"config.json": config(eos_token_id=1), "tokenizer.json": config(model={"vocab": {"</s>": 1}})},
            Tokens(eos="</s>", bos=None, others={}, ends=("</s>",)),
        ),
        (
            {
                "tokenizer_config.json": config(
                    additional_special_tokens=["<a>", {"content": "<b>"}, 3],
                    extra_special_tokens={"image_token": "<image>"},
                    eos_token_id=True,
                )
            },
            Tokens(
                eos=None,
                bos=None,
                others={"additional_special_tokens": ["<a>", "<b>"], "image_token": "<image>"},
                ends=(),
            ),
        ),
        ({"config.json": config(eos_token_id=5)}, Tokens(eos=None, bos=None, others={}, ends=())),
    ],
)
def test_special_tokens_are_texts_wherever_the_repository_keeps_them(
    hub: Hub, open_repository: OpenRepository, files: dict[str, bytes], tokens: Tokens
) -> None:
    hub.repositories[NAME] = Repository({"chat_template.jinja": b"T", **files})
    assert found(open_repository).tokens == tokens


def test_the_large_tokenizer_file_is_read_only_for_ids_that_nothing_else_has(
    hub: Hub, open_repository: OpenRepository
) -> None:
    files = {
        "chat_template.jinja": b"T",
        "tokenizer_config.json": config(added_tokens_decoder=ADDED),
        "generation_config.json": config(eos_token_id=2),
        "tokenizer.json": config(),
        "model.safetensors": b"weights",
    }
    hub.repositories[NAME] = Repository(files)
    assert found(open_repository).tokens.eos == "</s>"
    assert not [request for request in hub.requests if "tokenizer.json" in request or "safetensors" in request]


def test_the_same_commit_is_fetched_once(hub: Hub, open_repository: OpenRepository) -> None:
    hub.repositories[NAME] = Repository({"chat_template.jinja": b"T", "config.json": config(eos_token_id=2)})
    first = found(open_repository)
    asked = len(hub.requests)
    assert found(open_repository) == first
    assert hub.requests[asked:] == [f"GET /api/models/{NAME}"], "only what main is now is asked for again"


def test_a_pinned_commit_is_planned_from_the_cache_when_the_hub_is_out_of_reach(
    hub: Hub, open_repository: OpenRepository
) -> None:
    hub.repositories[NAME] = Repository({"chat_template.jinja": b"T"})
    first = found(open_repository, revision=SHA)
    hub.failures[:] = [503] * 3
    assert found(open_repository, revision=SHA) == first


def test_a_branch_is_not_planned_from_the_cache(hub: Hub, open_repository: OpenRepository) -> None:
    hub.repositories[NAME] = Repository({"chat_template.jinja": b"T"})
    found(open_repository)
    hub.failures[:] = [503] * 3
    assert isinstance(error(open_repository), HubOutOfReachError)


@pytest.mark.parametrize("failure", [429, 500, 502, 503, 504, -1])
def test_what_may_heal_is_asked_again(hub: Hub, open_repository: OpenRepository, failure: int) -> None:
    hub.repositories[NAME] = Repository({"chat_template.jinja": b"T"})
    hub.failures[:] = [failure, failure]
    assert found(open_repository).template == "T"


def test_a_hub_that_never_answers_is_given_up_after_the_timeout(hub: Hub, tmp_path: Path) -> None:
    hub.failures[:] = [0]
    opened = open_on_hub({"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path)}, timeout=0.2, pauses=())
    assert "did not answer within 0.2 s" in error(opened).rule


def test_a_hub_that_is_not_there_is_named_with_the_way_to_do_without(tmp_path: Path) -> None:
    opened = open_on_hub({"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_CACHE": str(tmp_path)}, pauses=())
    out_of_reach = error(opened)
    assert isinstance(out_of_reach, HubOutOfReachError)
    assert (
        "the Hub at http://127.0.0.1:9, which is needed for the chat template of owner/model, cannot be reached"
        in out_of_reach.rule
    )
    assert "set model.chat_template and model.eos_token" in out_of_reach.remedy


def test_offline_mode_is_said_to_be_the_reason(hub: Hub, tmp_path: Path) -> None:
    environment = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    assert "HF_HUB_OFFLINE" in error(open_on_hub(environment)).rule
    assert hub.requests == []


@pytest.mark.parametrize(
    ("repository", "token", "rule", "remedy"),
    [
        (None, None, "the Hub has no public repository owner/model (401)", "put a token into env"),
        (
            None,
            TOKEN,
            "the Hub has no owner/model, or the service's token has no access to it (404)",
            "set model.hub_repo",
        ),
        (Repository({}, private=True), "hf_known", "(404)", "set model.hub_repo"),
        (Repository({}), "hf_unknown", "does not accept the service's token (401)", "/settings/tokens"),
        (Repository({}), "hf_forbidden", "token is not allowed to read owner/model (403)", "/settings/tokens"),
        (Repository({"chat_template.jinja": b"T"}, gated=True), None, "is gated (401)", "/owner/model"),
        (
            Repository({"chat_template.jinja": b"T"}, gated=True),
            "hf_known",
            "is gated (403), and the account",
            "/owner/model",
        ),
        (Repository({}), "hf_with a space", "a space, a line break", "copy the token again"),
        (Repository({}), "hf_é", "another character that no token has", "copy the token again"),
    ],
)
def test_each_refusal_of_the_hub_has_its_own_words(
    hub: Hub, open_repository: OpenRepository, repository: Repository | None, token: str | None, rule: str, remedy: str
) -> None:
    if repository is not None:
        hub.repositories[NAME] = repository
    refusal = error(open_repository, token=token)
    assert rule in refusal.rule
    assert remedy in refusal.remedy
    assert not isinstance(refusal, HubOutOfReachError)


def test_a_revision_that_is_not_there_is_named(hub: Hub, open_repository: OpenRepository) -> None:
    hub.repositories[NAME] = Repository({})
    assert "no revision 'v9' (404)" in error(open_repository, revision="v9").rule


def test_a_page_that_is_no_answer_of_the_hub_is_out_of_reach(hub: Hub, open_repository: OpenRepository) -> None:
    """A proxy's login page, for one: 200 and HTML."""
    hub.pages[f"/api/models/{NAME}"] = b"<html>Sign in to the network</html>"
    assert (
        "which is needed for the chat template of owner/model, does not answer like the Hub"
        in error(open_repository).rule
    )
    hub.pages[f"/api/models/{NAME}"] = b"[]"
    assert isinstance(error(open_repository), HubOutOfReachError)


@pytest.mark.parametrize("endpoint", ["nowhere", "http://", "ftp://127.0.0.1", "http://127.0.0.1:99999"])
def test_an_endpoint_that_is_no_address_is_out_of_reach(endpoint: str, tmp_path: Path) -> None:
    opened = open_on_hub({"HF_ENDPOINT": endpoint, "HF_HUB_CACHE": str(tmp_path)}, pauses=())
    assert isinstance(error(opened), HubOutOfReachError)


def test_a_cache_that_cannot_be_written_is_named(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in its place")
    hub.repositories[NAME] = Repository({"chat_template.jinja": b"T"})
    opened = open_on_hub({"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "cache")})
    assert f"cannot be stored in {tmp_path / 'cache'}" in error(opened).rule


@pytest.mark.parametrize("name", ["a/b/c", "a b", "a..b", "model.git"])
def test_what_cannot_be_a_repository_is_refused_without_asking(
    hub: Hub, open_repository: OpenRepository, name: str
) -> None:
    with pytest.raises(HubError):
        open_repository(name, None, None)
    assert hub.requests == []


def test_a_token_is_sent_and_a_login_of_this_machine_is_not(
    hub: Hub, open_repository: OpenRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_whoever_runs_this")
    hub.repositories[NAME] = Repository({"chat_template.jinja": b"T"}, gated=True)
    assert found(open_repository, token=TOKEN).template == "T"
    assert hub.tokens == {TOKEN}
    hub.repositories[NAME] = Repository({"chat_template.jinja": b"T"}, sha=SHA[::-1], gated=True)
    error(open_repository)
    assert hub.tokens == {TOKEN, None}


def test_a_folder_of_this_machine_is_a_repository_too(
    tmp_path: Path, open_repository: OpenRepository, hub: Hub
) -> None:
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "tool_use.jinja").write_text("U")
    (tmp_path / "tokenizer_config.json").write_bytes(config(chat_template="S", eos_token="</s>"))
    resolved = find_chat_template(open_repository(str(tmp_path), None, None), "model")
    assert (resolved.template, resolved.named, resolved.sha) == ("S", {"tool_use": "U"}, None)
    with pytest.raises(HubError, match="is not a folder"):
        open_repository("./not/there", None, None)
    with pytest.raises(HubError, match="no revisions"):
        open_repository(str(tmp_path), "main", None)
    assert hub.requests == []


def test_the_environment_alone_says_where_the_hub_is(hub: Hub, tmp_path: Path) -> None:
    """In a process of its own, as a user's: the library reads HF_ENDPOINT when it is imported."""
    hub.repositories[NAME] = Repository({"tokenizer_config.json": config(chat_template="S", eos_token="</s>")})
    program = (
        "import os; from infra.planning import *; from infra.planning.hub import open_on_hub\n"
        "resolve = resolve_with(open_on_hub(os.environ))\n"
        f"found = resolve(ModelRepository(repo={NAME!r}, revision=None, token=None))\n"
        "print(found.template, found.tokens.eos, found.sha)"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (ran.stdout, ran.stderr) == (f"S </s> {SHA}\n", "")
    assert list(tmp_path.glob("hub/models--owner--model/snapshots/*")) == [
        tmp_path / "hub" / "models--owner--model" / "snapshots" / SHA
    ]
