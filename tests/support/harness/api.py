"""The daemon's local API over its Unix socket, in the words of openapi.yaml."""

import http.client
import json
import socket

from .run import Failed

ENDED = ("done", "failed", "cancelled")


class ApiError(Failed):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body if isinstance(body, dict) else {}
        self.kind = self.body.get("kind")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("shoal", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    def __init__(self, socket_path):
        self.socket_path = socket_path

    def call(self, method, path, body=None):
        connection = _UnixConnection(self.socket_path)
        try:
            payload = None if body is None else json.dumps(body)
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, "/v1" + path, payload, headers)
            response = connection.getresponse()
            raw = response.read()
            answer = json.loads(raw) if raw else None
            if response.status >= 400:
                raise ApiError(response.status, answer)
            return answer
        finally:
            connection.close()

    def answers(self):
        try:
            self.call("GET", "/system")
            return True
        except (OSError, http.client.HTTPException):
            return False

    def add_repository(self, url, root_json):
        return self.call("POST", "/repositories", {"url": url, "root_json": root_json})

    def start(self, kind, product, **more):
        return self.call("POST", "/changes", {"kind": kind, "product": product, **more})["id"]

    def change(self, change_id):
        return self.call("GET", f"/changes/{change_id}")

    def changes(self):
        return self.call("GET", "/changes")["changes"]

    def installs(self):
        return self.call("GET", "/installs")["installs"]

    def version_of(self, product):
        for install in self.installs():
            if install["product"] == product:
                return install["version"]
        return ""
