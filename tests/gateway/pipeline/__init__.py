"""The pipeline over real sockets, against the sandbox provider and against scripted ones."""
