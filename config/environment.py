"""What the environment adds to a file: `${NAME}` references, and settings such as EVOGATE_EVOLVER__POLL_S=2."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from config.source import KeyPath

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRETS = frozenset({"api_key", "token", "admin_token", "webhook_secret"})
_PASSWORD = re.compile(r"://[^/@:\s]*:(?!\$\{)[^/@\s]+@")
_PREFIX = "EVOGATE_"

Problem = tuple[KeyPath, str]


def resolve(values: Any, environ: Mapping[str, str], here: KeyPath = ()) -> tuple[Any, list[Problem]]:
    """The values with every `${NAME}` replaced, and what is wrong: unset names, secrets written out."""
    if isinstance(values, dict):
        resolved = {str(key): resolve(value, environ, (*here, str(key))) for key, value in values.items()}
        return {k: v for k, (v, _) in resolved.items()}, [p for _, found in resolved.values() for p in found]
    if isinstance(values, list):
        items = [resolve(value, environ, (*here, str(index))) for index, value in enumerate(values)]
        return [v for v, _ in items], [p for _, found in items for p in found]
    if isinstance(values, str):
        return _text(values, environ, here)
    return values, []


def _text(text: str, environ: Mapping[str, str], here: KeyPath) -> tuple[str, list[Problem]]:
    names = _REFERENCE.findall(text)
    if (here and here[-1] in _SECRETS and not names) or (here == ("registry", "url") and _PASSWORD.search(text)):
        return text, [(here, "holds a secret in the clear; write ${NAME} and set that environment variable")]
    missing = [name for name in names if name not in environ]
    problems = [(here, f"needs the environment variable {name}, which is not set") for name in missing]
    return _REFERENCE.sub(lambda match: environ.get(match[1], ""), text), problems


def overrides(environ: Mapping[str, str]) -> Iterator[tuple[str, KeyPath, Any]]:
    """(variable, path, value) of each setting given as EVOGATE_SECTION__KEY; values are read as YAML scalars."""
    for name in sorted(environ):
        if name.startswith(_PREFIX) and "__" in name:
            path = tuple(part.lower() for part in name[len(_PREFIX) :].split("__"))
            yield name, path, _scalar(environ[name])


def _scalar(text: str) -> Any:
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return text


def overlay(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Set `value` at `path`, making sections on the way; a name is matched whatever its case."""
    *parents, last = path
    for part in parents:
        inner = values.setdefault(_spelled(values, part), {})
        if not isinstance(inner, dict):
            return
        values = inner
    values[_spelled(values, last)] = value


def _spelled(values: Mapping[str, Any], name: str) -> str:
    return next((key for key in values if key.lower() == name), name)
