"""The transport alone, as a plain relay: what the data plane costs before it decides anything.

`python -m loadtests.relay_app --port 8800 --upstream http://127.0.0.1:9000`
"""

import argparse
import asyncio
from urllib.parse import urlsplit

import uvloop

from config.gateway import Limits
from config.upstreams import Upstream
from gateway.http.framing import Headers, block, content_length, end_to_end, envelope
from gateway.http.messages import App, Reply, Request
from gateway.http.server import serve
from gateway.http.tunnel import Side
from gateway.http.upstream import Pool, UpstreamError


class Relay:
    """One exchange: the client's bytes up, the upstream's bytes down."""

    __slots__ = ("call", "reply")

    def __init__(self, pool: Pool, base: bytes, request: Request, reply: Reply) -> None:
        self.reply = reply
        path = base + request.target
        if request.upgrade:
            self.call = pool.upgrade(path, end_to_end(request.headers), request.upgrade, self)
        else:
            headers = request.memo.get("up")
            if headers is None:
                headers = request.memo["up"] = block(end_to_end(request.headers))
            self.call = pool.call(request.method, path, headers, request.incoming or request.body, self)
        reply.on_gone = self.call.cancel
        reply.on_pause = self.call.pause
        reply.on_resume = self.call.resume

    def on_whole(self, status: int, headers: Headers, body: bytes, _content_type: bytes) -> None:
        self.reply.send(status, headers, body)

    def on_head(self, status: int, headers: Headers) -> None:
        self.reply.start(status, headers, content_length(headers))

    def on_data(self, data: bytes) -> None:
        self.reply.write(data)

    def on_upgrade(self, headers: Headers, far: Side) -> None:
        self.reply.tunnel(headers, far)

    def on_end(self) -> None:
        self.reply.end()

    def on_error(self, error: UpstreamError) -> None:
        if self.reply.started:
            self.reply.abort()
            return
        headers = [(b"Content-Type", b"application/json"), (b"x-evogate-error", error.kind.encode())]
        self.reply.send(502, headers, envelope(str(error), "upstream_error", code=error.kind))


def relay_to(pool: Pool, base_url: str) -> App:
    """An application that relays everything to one pool, below the path of `base_url`."""
    base = urlsplit(base_url).path.rstrip("/").encode()

    def app(request: Request, reply: Reply) -> None:
        Relay(pool, base, request, reply)

    return app


async def main(port: int, upstream: str) -> None:
    """Serve until killed."""
    pool = Pool(Upstream(base_url=upstream), asyncio.get_running_loop())
    server = await serve(relay_to(pool, upstream), host="127.0.0.1", port=port, limits=Limits(), passes=lambda _: True)
    print(f"relaying 127.0.0.1:{server.port} to {upstream}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8800)
    parser.add_argument("--upstream", required=True)
    options = parser.parse_args()
    uvloop.run(main(options.port, options.upstream))
