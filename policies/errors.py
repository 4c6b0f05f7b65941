"""One error root, typed by blame. A message says what happened, where, and what to do."""


class EvoGateError(Exception):
    """Root of every error that EvoGate raises on purpose."""


class ClientError(EvoGateError):
    """The caller sent something that can't be served: HTTP 4xx on the wire."""


class ProviderError(EvoGateError):
    """An upstream answered wrongly, late, or not at all."""


class OperatorError(EvoGateError):
    """A setting, a file or a command is wrong: one line with the remedy, exit code 2."""


class AwayError(OperatorError):
    """A store can't be reached now, and may be later, without anybody's changing a setting."""


class ConflictError(OperatorError):
    """A pointer or state moved since it was read; read it again and retry."""


class StaleError(ConflictError):
    """What the caller says that it has seen is not what is there any more."""


class NotFoundError(OperatorError):
    """A version, candidate or record of that name does not exist."""
