"""`python -m gateway` is the `evogate` command."""

from gateway.cli import main

main()
