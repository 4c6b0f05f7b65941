"""Commands over the recordings: records, explain, render."""

import asyncio
import difflib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click
import orjson

from gateway.cli.common import home_option, policy_option, the_policy, with_registry
from gateway.recording.reader import find
from policies.errors import ClientError, NotFoundError, OperatorError
from policies.genome import Genome
from policies.registry.operations import find_version
from policies.registry.port import Registry
