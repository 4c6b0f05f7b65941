"""The data plane, its admin listener, the command line and the sandbox provider."""
