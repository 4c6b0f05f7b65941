"""The data plane's application with a desk for words about answers."""

from functools import partial

from gateway.http.messages import Reply, Request
from gateway.pipeline.app import DataPlane
from gateway.pipeline.core import Core
from gateway.pipeline.desk import Desk, Heard


class Front(DataPlane):
    """`DataPlane`, whose feedback may have to be searched for."""

    def __init__(self, core: Core, desk: Desk) -> None:
        super().__init__(core)
        self._desk = desk

    def _feedback(self, request: Request, reply: Reply) -> None:
        if request.method != b"POST":
            self._refuse(reply, 405, "method", "feedback is sent by POST")
            return
        self._desk.receive(request.body, request.get(b"authorization"), partial(self._heard, reply))

    def _heard(self, reply: Reply, heard: Heard) -> None:
        if heard.status == 202:
            accepted = {"accepted": True, "request_id": heard.request_id, "counted": heard.counted}
            self._plain(reply, 202, accepted)
        else:
            param = "request_id" if heard.status == 404 else None
            self._refuse(reply, heard.status, heard.reason, heard.message, param=param)
