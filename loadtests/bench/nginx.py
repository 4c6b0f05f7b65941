"""nginx: the provider of whole answers, and a plain proxy."""

import json
from pathlib import Path

from loadtests.bench.machine import free_port
from loadtests.bench.targets import DIRECT, NGINX, Launch, Target

ANSWER = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "bench-large",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "I am sorry that your order is late. It left our warehouse on Tuesday and was handed to the "
                "carrier the same evening. The carrier reports a delay of two working days at the sorting centre. "
                "If it has not arrived by Friday evening, write to us again and we will send a new one at once, "
                "free of charge. Would you like a message as soon as it is out for delivery?",
            },
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 61, "completion_tokens": 88, "total_tokens": 149},
}

CONF = """
daemon off; master_process off; pid {folder}/{port}.pid; error_log stderr error;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_timeout 300s; keepalive_requests 1000000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  {more}
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ {location} }} }}
}}
"""
UPSTREAM = "upstream provider {{ server 127.0.0.1:{port}; keepalive 512; keepalive_requests 1000000000; }}"
PROXY = "proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffering off;"
PROVIDER = "default_type application/json; return 200 '{answer}';"


def provider(folder: Path) -> Launch:
    """Always the same answer, head and body in one write."""
    return _launch(folder, DIRECT, "", PROVIDER.format(answer=json.dumps(ANSWER)))


def proxy(folder: Path, upstream: int) -> Launch:
    """A plain proxy before the provider on port `upstream`; answers are passed on as they come."""
    return _launch(folder, NGINX, UPSTREAM.format(port=upstream), PROXY)


def _launch(folder: Path, name: str, more: str, location: str) -> Launch:
    port = free_port()
    conf = folder / f"nginx-{port}.conf"
    conf.write_text(CONF.format(folder=folder, port=port, more=more, location=location))
    return Launch(Target(name, port), ["nginx", "-p", str(folder), "-c", str(conf)])
