"""Typed settings, the loader and the watcher. Every setting is optional."""
