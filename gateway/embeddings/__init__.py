"""The way to the embedding model: for requests whose genome asks for it, and for nobody else.

An embedding that does not come in time is done without and counted; no request fails for want of one.
"""
