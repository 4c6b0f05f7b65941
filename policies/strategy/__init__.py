"""Strategies: how a request is served by more calls than one, decided without performing any."""
