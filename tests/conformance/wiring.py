"""The endpoints that a genome is applied to. What is not here is relayed untouched, and tested as such."""

APPLIED = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages")
