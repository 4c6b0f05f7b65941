"""The one error of the spool."""

from policies.errors import OperatorError


class SpoolError(OperatorError):
    """The spool can't be written or read: the disk, its permissions, or a second process in one folder."""
