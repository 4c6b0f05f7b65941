"""How each kind of provider wants its paths and its key. Pure: the gateway and the evolver both address by it.

| kind      | key                     | path of a client's `/v1/X`                                            |
| --------- | ----------------------- | --------------------------------------------------------------------- |
| openai    | `authorization: Bearer` | base + `/X`: OpenAI, and every compatible server                      |
| azure     | `api-key`               | base + `/X?api-version=`, `{model}` in the base being the deployment  |
| anthropic | `x-api-key`             | base + `/X`, with `anthropic-version` where the client sent none      |

An Azure path that belongs to no deployment (`/models`, `/files`) leaves `/deployments/{model}` out. A base that ends
with `/v1` is Azure's version-less API and gets no `api-version` unless one is configured.

Source: Microsoft, "Azure OpenAI in Azure AI Foundry Models REST API reference"; Anthropic, "API overview".
"""

from typing import Final, Literal
from urllib.parse import quote, urlsplit

Kind = Literal["openai", "azure", "anthropic"]
Field = tuple[bytes, bytes]

KEYS: Final[dict[Kind, tuple[bytes, bytes]]] = {
    "openai": (b"authorization", b"Bearer "),
    "azure": (b"api-key", b""),
    "anthropic": (b"x-api-key", b""),
}
VERSIONS: Final[dict[Kind, str | None]] = {"openai": None, "azure": "2024-10-21", "anthropic": "2023-06-01"}
_V1: Final = b"/v1"
_MODEL: Final = "{model}"
_DEPLOYMENT: Final = "/deployments/{model}"


class Address:
    """The paths and fields of one upstream.

    Args:
        kind: a row of the table above.
        base_url: with `{model}` where the deployment belongs (azure).
        key: our own, None where the client's goes through.
        api_version: None for the kind's default.
    """

    __slots__ = ("_base", "_by_model", "_query", "credential", "version")

    def __init__(self, kind: Kind, base_url: str, key: str | None, api_version: str | None = None) -> None:
        base = urlsplit(base_url).path.rstrip("/")
        name, prefix = KEYS[kind]
        self.credential: Field | None = (name, prefix + key.encode()) if key is not None else None
        self.version: Field | None = None  # to be sent where the client sent none of that name
        version = api_version or VERSIONS[kind]
        if kind == "anthropic" and version is not None:
            self.version = (b"anthropic-version", version.encode())
        wants_version = kind == "azure" and (api_version is not None or not base.endswith("/v1"))
        self._query = b"api-version=%b" % (version or "").encode() if wants_version else b""
        self._by_model = base if _MODEL in base else None
        self._base = base.replace(_DEPLOYMENT, "").replace(_MODEL, "").encode()

    def path(self, target: bytes, model: str = "") -> bytes:
        """The provider's path of a client's target: `/v1` stands for the base URL's own path.

        Args:
            target: path and query.
            model: the provider's name of the model, empty where the request belongs to none.
        """
        if not target.startswith(_V1) or target[3:4] not in (b"/", b"?", b""):
            return target
        base = self._base
        if self._by_model is not None and model:
            base = self._by_model.replace(_MODEL, quote(model, safe="")).encode()
        path = (base + target[3:]) or b"/"
        if not self._query or b"api-version=" in path.partition(b"?")[2]:
            return path
        return path + (b"&" if b"?" in path else b"?") + self._query
