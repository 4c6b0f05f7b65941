"""From a file and the environment to `Settings`: everything is checked, and every error names its place."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from config.environment import overlay, overrides, resolve
from config.proxies import fill_in
from config.records import Registry
from config.settings import Settings
from config.source import KeyPath, parse, read
from policies.errors import OperatorError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: dotted path, line (0 where it stands in no file), and what would be right."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class ConfigError(OperatorError):
    """The configuration is not valid; `problems` holds every error found."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"{name}: {problem}" for problem in problems))


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of a file (none: all defaults) with the environment's on top.

    Raises:
        OperatorError: the file can't be read; ConfigError: it is not valid.
    """
    values, lines = read(path) if path is not None else ({}, {})
    return _validated(values, lines, str(path or "settings"), environ)


def load_registry(path: Path | None, environ: Mapping[str, str]) -> Registry:
    """The `registry` section alone, for commands that need nothing else, and none of the other sections' secrets.

    Raises:
        OperatorError: the file can't be read; ConfigError: the section is not valid.
    """
    values, lines = read(path) if path is not None else ({}, {})
    section = {"registry": values.get("registry", {})}
    beside = {name: value for name, value in environ.items() if not name.startswith("EVOGATE_")}
    own = {name: value for name, value in environ.items() if name.startswith("EVOGATE_REGISTRY__")}
    return _validated(section, lines, str(path or "settings"), beside | own).registry


def loads(text: str, environ: Mapping[str, str], name: str = "settings") -> Settings:
    """As `load`, from a text."""
    values, lines = parse(text, name)
    return _validated(values, lines, name, environ)


def _validated(values: dict[str, Any], lines: Mapping[KeyPath, int], name: str, environ: Mapping[str, str]) -> Settings:
    resolved, unresolved = resolve(values, environ)
    variables: dict[KeyPath, str] = {}
    for variable, path, value in overrides(environ):
        overlay(resolved, path, value)
        variables[path] = variable
    fill_in(resolved.get("upstreams"), environ)
    problems = [Problem(".".join(path), _line(path, lines), message) for path, message in unresolved]
    try:
        settings = Settings.model_validate(resolved)
    except ValidationError as error:
        problems += [_problem(dict(item), lines, variables) for item in error.errors(include_url=False)]
    if problems:
        raise ConfigError(name, problems)
    return settings


def _problem(error: dict[str, Any], lines: Mapping[KeyPath, int], variables: Mapping[KeyPath, str]) -> Problem:
    path = tuple(part for part in map(str, error["loc"]) if not _names_a_union_member(part))
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = _unknown_key(path)
    elif error["type"] != "value_error":
        message = f"{message} (found: {str(error['input'])[:80]!r})"
    variable = next((name for key, name in variables.items() if key == tuple(p.lower() for p in path)), None)
    return Problem(".".join(path), _line(path, lines), f"{message} (from {variable})" if variable else message)


def _names_a_union_member(part: str) -> bool:
    return "[" in part or part[:1].isupper()


def _line(path: KeyPath, lines: Mapping[KeyPath, int]) -> int:
    """The line of the path, or of the nearest section around it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 0)


def _unknown_key(path: KeyPath) -> str:
    known = _fields_at(path[:-1])
    close = difflib.get_close_matches(path[-1], known, n=1)
    return "no such setting" + (f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}")


def _fields_at(path: KeyPath) -> list[str]:
    """Names of the settings in the section at `path`, found by walking the models' annotations."""
    model: type[BaseModel] = Settings
    for part in path:
        field = model.model_fields.get(part)
        if field is not None:
            model = _section(field.annotation) or model
    return sorted(model.model_fields)


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in getattr(annotation, "__args__", ()) if (found := _section(arg))), None)
