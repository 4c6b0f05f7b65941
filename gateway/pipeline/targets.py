"""The configured models as targets: where they are, what they are called there, and what they cost."""

from collections.abc import Mapping

from config.settings import Settings
from config.upstreams import Model
from gateway.pipeline.epoch import Target
from gateway.pipeline.places import Places
from gateway.pipeline.routes import Route
from policies.render import ModelTarget


def targets_of(settings: Settings, routes: Mapping[str, Route]) -> dict[str, Target]:
    """By model key, and by what the provider calls it where no key has that name."""
    found: dict[str, Target] = {}
    for key, model in settings.models.items():
        found[key] = _target(key, model, routes)
    for key, model in settings.models.items():
        found.setdefault(model.model, found[key])
    return found


def _target(key: str, model: Model, routes: Mapping[str, Route]) -> Target:
    price = model.usd_per_mtok
    return Target(
        routes[model.upstream],
        ModelTarget(key, model.upstream, model.model, model.params),
        price.input,
        price.cached_input,
        price.output,
        _places(model, routes),
    )


def _places(model: Model, routes: Mapping[str, Route]) -> Places | None:
    """Where several upstreams share the model."""
    if len(model.places) == 1:
        return None
    return Places(tuple(routes[name] for name in model.places), tuple(model.places.values()))


def default_model(settings: Settings, targets: Mapping[str, Target]) -> Target | None:
    """What a policy's name stands for where no genome says it: the first model of the configuration."""
    first = next(iter(settings.models), None)
    return targets[first] if first is not None else None
