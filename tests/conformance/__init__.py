"""Clients written by others, through the gateway."""
