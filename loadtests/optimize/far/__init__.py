"""The far side of the comparison: scripts that run in the environments of other optimizers, with nothing of EvoGate.

Each is started as `<its python> <its file>` and speaks the protocol of `line`.
"""
