"""A YAML file as plain values, with the line of every key, so that an error can name its place."""

from pathlib import Path
from typing import Any

import yaml

from policies.errors import OperatorError

KeyPath = tuple[str, ...]


def read(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """The file's values, and for each key path the line it stands on (from 1).

    Raises:
        OperatorError: missing, unreadable, not YAML, not a mapping, or a key that stands twice.
    """
    return parse(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The file as it stands.

    Raises:
        OperatorError: missing, unreadable, or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise OperatorError(f"{path}: can't be read ({error.strerror}); name another with --config") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error


def parse(text: str, name: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """As `read`, from a text; `name` stands for the file in messages."""
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        values = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise OperatorError(f"{name}: is not valid YAML: {_one_line(error)}") from error
    if node is None:
        return {}, {}
    if not isinstance(node, yaml.MappingNode):
        raise OperatorError(f"{name}: must hold sections such as `upstreams:` and `policies:`")
    lines: dict[KeyPath, int] = {}
    _walk(node, (), lines, name)
    return values, lines


def _walk(node: yaml.Node, here: KeyPath, lines: dict[KeyPath, int], name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = (*here, str(key.value))
            line = key.start_mark.line + 1
            if path in lines:
                raise OperatorError(
                    f"{name}:{line}: '{'.'.join(path)}' stands twice (first on line {lines[path]}); keep one"
                )
            lines[path] = line
            _walk(value, path, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            path = (*here, str(index))
            lines[path] = value.start_mark.line + 1
            _walk(value, path, lines, name)


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return where + (getattr(error, "problem", None) or str(error)).replace("\n", " ")
