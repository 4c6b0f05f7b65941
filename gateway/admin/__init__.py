"""The admin listener: metrics, status, reload, arms. Loopback, or a token."""
