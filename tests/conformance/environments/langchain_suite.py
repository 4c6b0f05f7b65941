"""LangChain's own integration tests of chat models, on ChatOpenAI behind the gateway. Runs in its own environment."""

import os
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


class TestBehindTheGateway(ChatModelIntegrationTests):
    """What ChatOpenAI says of itself. Its tests of images fetch them from elsewhere: see `test_openai_chat.py`."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        """The class under test."""
        found: type[BaseChatModel] = ChatOpenAI
        return found

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """Where it asks."""
        where = {"base_url": os.environ["BASE_URL"], "api_key": "key", "max_retries": 0}
        return {"model": "clerk-1", "stream_usage": True, **where}

    @property
    def supports_json_mode(self) -> bool:
        """It does."""
        return True
