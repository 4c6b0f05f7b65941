"""Embeddings for replay: what the gateway would have asked of the embedding model, remembered from one replay on."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from evolver.provider import Provider
from policies.memory import Library, Meanings, Near
from policies.vectors import PATH, Vector, asked, read

AT_A_TIME = 64  # texts of one call
_REMEMBERED_BYTES = 64 * 1024 * 1024


class Embeddings:
    """Of the configured model; what does not come is left out, as the gateway does without it."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._key: object = None
        self._known: OrderedDict[str, Vector] = OrderedDict()
        self._bytes = 0

    async def of(self, texts: Sequence[str]) -> dict[str, Vector]:
        """Vectors by text."""
        settings = self._provider.settings.embeddings
        if self._key != (settings.model_key, settings.dimensions):
            self._key = (settings.model_key, settings.dimensions)
            self._known.clear()
            self._bytes = 0
        found = {text: self._known[text] for text in texts if text in self._known}
        missing = list(dict.fromkeys(text for text in texts if text not in found))
        for start in range(0, len(missing) if settings.model_key is not None else 0, AT_A_TIME):
            found |= await self._ask(missing[start : start + AT_A_TIME])
        return found

    async def near(self, library: Library, queries: Sequence[str]) -> dict[str, Near]:
        """How near each query is to the entries of a library; nothing where not all of these have embeddings."""
        if not 0 < len(library) <= self._provider.settings.embeddings.most_entries:
            return {}
        texts = library.meant()
        entries = await self.of(texts)
        if any(text not in entries for text in texts):
            return {}
        meanings = Meanings(np.stack([entries[text] for text in texts]), len(library.facts))
        vectors = await self.of(queries)
        nears = {text: meanings.near(vector) for text, vector in vectors.items()}
        return {text: near for text, near in nears.items() if near is not None}

    async def _ask(self, texts: list[str]) -> dict[str, Vector]:
        rules, models = self._provider.settings.embeddings, self._provider.settings.models
        model = models.get(rules.model_key) if rules.model_key is not None else None
        if model is None:
            return {}
        answer = await self._provider.send(asked(model.model, texts, rules.dimensions), rules.model_key, PATH)
        try:
            rows, _ = read(answer.body, len(texts))
        except ValueError:
            return {}
        found = dict(zip(texts, rows, strict=True))
        self._remember(found)
        return found

    def _remember(self, found: dict[str, Vector]) -> None:
        for text, vector in found.items():
            self._known[text] = vector
            self._bytes += vector.nbytes + len(text)
        while self._bytes > _REMEMBERED_BYTES:
            text, vector = self._known.popitem(last=False)
            self._bytes -= vector.nbytes + len(text)
