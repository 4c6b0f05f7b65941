"""The soak: an hour of requests at a fixed rate, and what becomes of memory and records."""
