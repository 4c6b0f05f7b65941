"""Names of the GenAI semantic conventions, which are still in development: those of SCHEMA, and only here.

Source: OpenTelemetry, "Semantic conventions for generative AI systems", version 1.37 (`gen_ai.provider.name` came with
it in the place of `gen_ai.system`).
"""

from typing import Final

from policies.kinds import Kind

SCHEMA: Final = "https://opentelemetry.io/schemas/1.37.0"
SCOPE: Final = "evogate.gateway"
SERVICE: Final = "evogate"

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
CONVERSATION: Final = "gen_ai.conversation.id"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - "input" or "output"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR: Final = "error.type"

REQUEST_ID: Final = "evogate.request_id"
POLICY: Final = "evogate.policy"
GENOME: Final = "evogate.genome"
VERSION: Final = "evogate.version"

DURATION: Final = "gen_ai.client.operation.duration"  # a histogram in seconds
TOKENS: Final = "gen_ai.client.token.usage"  # a histogram of tokens
DURATION_BOUNDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKEN_BOUNDS: Final = tuple(float(4**power) for power in range(14))

PROVIDERS: Final[dict[Kind, str]] = {"openai": "openai", "azure": "azure.ai.openai", "anthropic": "anthropic"}

# A request's parameters by the endpoints' words for them, and what a value has to be.
PARAMETERS: Final[dict[str, tuple[str, tuple[type, ...]]]] = {
    "temperature": ("gen_ai.request.temperature", (float, int)),
    "top_p": ("gen_ai.request.top_p", (float, int)),
    "top_k": ("gen_ai.request.top_k", (float, int)),
    "frequency_penalty": ("gen_ai.request.frequency_penalty", (float, int)),
    "presence_penalty": ("gen_ai.request.presence_penalty", (float, int)),
    "max_tokens": ("gen_ai.request.max_tokens", (int,)),
    "max_completion_tokens": ("gen_ai.request.max_tokens", (int,)),
    "max_output_tokens": ("gen_ai.request.max_tokens", (int,)),
    "n": ("gen_ai.request.choice.count", (int,)),
    "seed": ("gen_ai.request.seed", (int,)),
}
STOPS: Final = "gen_ai.request.stop_sequences"  # `stop` or `stop_sequences`: a text, or a list of them


def operation(path: str) -> str:
    """What a request to an endpoint does, in the conventions' words."""
    return "text_completion" if path == "/v1/completions" else "chat"
