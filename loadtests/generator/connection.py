"""One connection of the generator: it carries one request at a time."""

import socket

import httptools

HOST = "127.0.0.1"
CONNECT_TIMEOUT_S = 10.0


class Broken(Exception):  # noqa: N818  (a state, not a fault of ours)
    """The connection can't be used any more."""


class Connection:
    """A client's side, without blocking once it is connected."""

    __slots__ = ("_parser", "_whole", "closing", "due", "socket", "status")

    def __init__(self, port: int) -> None:
        """Connect.

        Raises:
            OSError: nobody listens there.
        """
        self.socket = socket.create_connection((HOST, port), CONNECT_TIMEOUT_S)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = httptools.HttpResponseParser(self)
        self._whole = False
        self.due = 0.0
        self.status = 0
        self.closing = False  # after the present answer, says the server

    def send(self, request: bytes, due: float) -> None:
        """Ask. `due` is the moment for which it was scheduled.

        Raises:
            Broken: it could not be sent whole.
        """
        self.due = due
        try:
            if self.socket.send(request) != len(request):
                raise Broken("only a part of the request was sent")
        except OSError as error:
            raise Broken(str(error)) from error

    def receive(self) -> bool:
        """Take what there is; whether the answer is whole now.

        Raises:
            Broken: the server closed, or what it sent is no answer.
        """
        try:
            data = self.socket.recv(65_536)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Broken(str(error)) from error
        if not data:
            raise Broken("closed by the server")
        self._whole = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise Broken(str(error)) from error
        return self._whole

    def on_message_complete(self) -> None:
        """The parser has seen the whole answer."""
        self._whole = True
        self.status = self._parser.get_status_code()
        self.closing = not self._parser.should_keep_alive()
