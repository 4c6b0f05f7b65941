"""What a request is about, as one of a few names that the evolver has learnt from recordings."""

from policies.intents.classifier import Classifier, from_json, to_json
from policies.intents.features import BUCKETS, features

__all__ = ["BUCKETS", "Classifier", "features", "from_json", "to_json"]
