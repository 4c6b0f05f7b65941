"""Providers that misbehave, and what the gateway makes of each."""
