"""Image registries: `docker login`, `docker pull`, and which images a machine has fetched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from cloud.machines.calls import Call
from cloud.machines.docker.images import image_named
from infra.planning.boot.settings import registry

WRONG_PASSWORD = "wrong"  # noqa: S105 (what a registry of this cloud refuses)
DOCKER_HUB = "https://index.docker.io/v1/"


class Registries:
    """What the machine knows of image registries. `folder` keeps the names of the images that it has."""

    def __init__(self, folder: Path, tables: Path) -> None:
        self.tables = tables
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, image: str) -> bool:
        """Whether the image was pulled."""
        return self._file(image).exists()

    def log_in(self, call: Call, words: Sequence[str], config: Path | None) -> int:
        """`docker login --username U --password-stdin [REGISTRY]`."""
        host = words[-1] if len(words) > 3 else DOCKER_HUB
        password = call.read().decode(errors="replace").rstrip("\n")
        if not password or password == WRONG_PASSWORD:
            where = "https://registry-1.docker.io/v2/" if host == DOCKER_HUB else f"https://{host}/v2/"
            return call.fail(f'Error response from daemon: Get "{where}": unauthorized: incorrect username or password')
        file = _config(call, config)
        file.parent.mkdir(parents=True, exist_ok=True)
        logins = json.dumps({"auths": {**_logins(file), host: {}}})
        file.touch(0o600)
        file.write_text(logins)
        call.say("Login Succeeded\n")
        return 0

    def pull(self, call: Call, words: Sequence[str], config: Path | None) -> int:
        """`docker pull IMAGE`."""
        name = words[-1]
        if any(character.isspace() or character.isupper() for character in name.partition(":")[0].rpartition("/")[2]):
            return call.fail(f"invalid reference format: repository name ({name}) must be lowercase")
        image = image_named(name, self.tables)
        repository, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:
            repository, tag = name, "latest"
        logged_in = (registry(name) or DOCKER_HUB) in _logins(_config(call, config))
        refusals = {
            "not found": f"manifest for {repository}:{tag} not found: manifest unknown: manifest unknown",
            "denied": _denied(repository),
            "limited": "toomanyrequests: You have reached your unauthenticated pull rate limit. "
            "https://www.docker.com/increase-rate-limit",
            "other platform": f"no matching manifest for linux/amd64 in the manifest list entries: {name}",
            "login": None if logged_in else _denied(repository),
        }
        if refusal := refusals.get(image.pull):
            return call.fail(f"Error response from daemon: {refusal}")
        call.say(f"{tag}: Pulling from {repository}\n")
        layers = [hashlib.sha256(f"{name} {number}".encode()).hexdigest()[:12] for number in range(image.layers)]
        for text in ("Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"):
            call.say("".join(f"{layer}: {text}\n" for layer in layers))
        digest = hashlib.sha256(name.encode()).hexdigest()
        whole = name if registry(name) else f"docker.io/{name}"
        call.say(f"Digest: sha256:{digest}\nStatus: Downloaded newer image for {name}\n{whole}\n")
        self._file(name).write_text(name)
        return 0

    def _file(self, image: str) -> Path:
        return self._folder / hashlib.sha256(image.encode()).hexdigest()


def _config(call: Call, config: Path | None) -> Path:
    return (config or Path(call.environment.get("HOME", "/root"), ".docker")) / "config.json"


def _logins(file: Path) -> Mapping[str, object]:
    """Return the registries that a file of docker's configuration has logins for. The passwords are not kept."""
    return json.loads(file.read_text())["auths"] if file.exists() else {}


def _denied(repository: str) -> str:
    return (
        f"pull access denied for {repository}, repository does not exist or may require 'docker login': denied: "
        "requested access to the resource is denied"
    )
