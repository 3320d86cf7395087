"""Checks of the service's own address and of what the gateway answers by itself, over plain HTTP."""

from __future__ import annotations

import json
from typing import Any, cast

import httpx

from commands.smoke.outcome import CheckFailed, CheckSkipped
from commands.smoke.target import Target

PATIENCE = 60.0
"""Seconds of silence after which an answer is given up. A first request may wait for a function to start."""
LARGE = 4 * 1024 * 1024
"""Bytes of a request that has to get through: above 1 MB, where proxies begin to refuse, below Lambda's 6 MB."""
WRONG_KEY = "sk-servestack-smoke-wrong-key"
NOWHERE = "/servestack-smoke/no-such-path"
NO_MODEL = "servestack-smoke/no-such-model"

_PREFLIGHT = {"Origin": "https://servestack.invalid", "Access-Control-Request-Method": "GET"}


class Service:
    """One service, and a caller who can use it."""

    def __init__(self, target: Target, *, health: str | None, no_content: str | None) -> None:
        self._target = target
        self._health = health or ("/health" if target.model else "/")
        self._wanted = range(200, 201) if health or target.model else range(200, 500)
        self._no_content = no_content

    def health(self) -> str:
        """The path of the health check answers."""
        with self._client() as client:
            answer = client.get(self._at(self._health))
        if answer.status_code == 401 and self._target.key is None:
            raise CheckFailed(f"GET {self._health} is 401: a key is needed; give one with --key")
        if answer.status_code not in self._wanted:
            raise CheckFailed(f"GET {self._health} is {_described(answer)}")
        return f"GET {self._health} is {answer.status_code}"

    def wrong_key(self) -> str:
        """Both addresses refuse a wrong key."""
        if self._target.key is None:
            raise CheckSkipped("open to everyone: no key is needed")
        wrong = {"Authorization": f"Bearer {WRONG_KEY}"}
        asked = {} if self._target.url is None else {"the service": self._at(self._health)}
        asked["the OpenAI API"] = f"{self._target.openai_base_url}/chat/completions"
        with httpx.Client(timeout=PATIENCE) as client:
            for what, url in asked.items():
                for headers in (wrong, {}):
                    answer = client.post(url, headers=headers, json=_question(self._target.model or NO_MODEL))
                    code = _error(answer).get("code")
                    if self._target.model is None and code == "model_not_found":
                        raise CheckSkipped("the gateway's services are open to everyone, so it tells of models")
                    if (answer.status_code, code) != (401, "invalid_api_key"):
                        which = "a wrong key" if headers else "no key"
                        raise CheckFailed(f"{what} answers {which} with {_described(answer)}")
        return f"401 invalid_api_key from {' and '.join(asked)}, with a wrong key and with none"

    def large_request(self) -> str:
        """4 MB of JSON arrive whole: without its last bracket, the server could not read it."""
        model = self._target.model
        url = self._at("/") if model is None else f"{self._target.openai_base_url}/chat/completions"
        body = _padded(_question(model or NO_MODEL))
        with self._client() as client:
            answer = client.post(url, content=body, headers={"Content-Type": "application/json"})
        megabytes = f"{len(body) / 1024**2:.1f} MB"
        if answer.status_code == 413 and not _error(answer):
            raise CheckSkipped(f"the service itself takes no {megabytes}: 413")
        good = answer.status_code == 200 if model else answer.status_code < 500 and answer.status_code != 413
        if not good:
            raise CheckFailed(f"{megabytes} are answered with {_described(answer)}")
        return f"{megabytes} are answered with {answer.status_code}"

    def not_found(self) -> str:
        """A 404 of the service reaches the client, and an unknown model gets the gateway's own 404."""
        notes: list[str] = []
        with self._client() as client:
            if self._target.url is not None:
                answer = client.get(self._at(NOWHERE))
                if answer.status_code != 404:
                    status = _described(answer)
                    if self._target.model is None and answer.status_code < 500:
                        raise CheckSkipped(f"the service answers unknown paths with {status}")
                    raise CheckFailed(f"GET {NOWHERE} is {status}")
                notes.append("404 from the service")
            url = f"{self._target.openai_base_url}/chat/completions"
            answer = client.post(url, json=_question(NO_MODEL))
            code = _error(answer).get("code")
            # If another service needs a key, a caller without one does not learn what exists.
            hidden = self._target.key is None and (answer.status_code, code) == (401, "invalid_api_key")
            if not hidden and (answer.status_code, code) != (404, "model_not_found"):
                raise CheckFailed(f"an unknown model is answered with {_described(answer)}")
        return ", ".join([*notes, f"{answer.status_code} {code} for an unknown model"])

    def head(self) -> str:
        """HEAD has GET's status and no body, and the connection is good for another request."""
        url = self._at(self._health)
        with self._client() as client:
            head = client.head(url)
            get = client.get(url)
        if head.status_code != get.status_code and head.status_code != 405:
            raise CheckFailed(f"HEAD {self._health} is {head.status_code}, GET {get.status_code}")
        return f"HEAD {self._health} is {head.status_code}, without a body"

    def no_content(self) -> str:
        """An answer without a body ends. On AWS, the body is one byte where HTTP allows a body."""
        with self._client() as client:
            if self._no_content is not None:
                answer = client.get(self._at(self._no_content))
                if (answer.status_code, answer.content) != (204, b""):
                    raise CheckFailed(f"GET {self._no_content} is {_described(answer)}")
                return f"GET {self._no_content} is 204, and ends"
            answer = client.options(self._at(self._health), headers=_PREFLIGHT)
        if answer.status_code >= 500:
            raise CheckFailed(f"OPTIONS {self._health} is {_described(answer)}")
        if len(answer.content) > 1:
            raise CheckSkipped("no path that answers without a body is known; name one with --no-content")
        note = f"OPTIONS {self._health} is {answer.status_code} without a body, and ends"
        return note if answer.status_code == 204 else f"{note}; a path with 204: --no-content"

    def _at(self, path: str) -> str:
        if self._target.url is None:
            raise CheckSkipped("only a gateway is tested")
        return f"{self._target.url}{path}"

    def _client(self) -> httpx.Client:
        return httpx.Client(headers=self._target.headers, timeout=PATIENCE)


def _question(model: str) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "Say yes."}], "max_tokens": 4}


def _padded(question: dict[str, object]) -> bytes:
    """Return a request of `LARGE` bytes. It has spaces between two members, which mean nothing in JSON."""
    text = json.dumps(question)
    return (text[:-1] + " " * (LARGE - len(text)) + text[-1]).encode()


def _described(answer: httpx.Response) -> str:
    """Return the status of an answer, with the code and message of its error, or the address that it redirects to."""
    error = _error(answer)
    said = ": ".join(str(error[key]) for key in ("code", "message") if error.get(key))
    if not said and answer.has_redirect_location:
        said = f"to {answer.headers['location']}"
    return f"{answer.status_code} ({said})" if said else str(answer.status_code)


def _error(answer: httpx.Response) -> dict[str, Any]:
    """Return the error of an answer in OpenAI's shape; empty: it has no error."""
    try:
        body: object = answer.json()
    except ValueError:
        return {}
    error = cast(dict[str, Any], body).get("error") if isinstance(body, dict) else None
    return cast(dict[str, Any], error) if isinstance(error, dict) else {}
