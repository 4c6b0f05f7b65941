"""End to end on the sandbox: how far the loop gets by itself, from an expensive, slow and fragile genome."""
