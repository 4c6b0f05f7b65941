"""Load tests and the overhead benchmark."""
