"""Clients that live in environments of their own: their dependencies are not ours.

`langchain-tests` brings eight pytest plugins, `instructor` wants an older `rich` and `openai` than the product has, and
Node has its own package manager. The environments are built once into pytest's cache, from files with hashes (Python)
or a pinned version (Node), by the slow tests only.
"""
