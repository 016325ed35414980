"""nginx as the edge: a single process with its own folder, whose access log says what it served."""

import os
import signal

from .run import wait_until

CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  log_format bytes '$status $body_bytes_sent $uri $http_range';
  access_log {folder}/access.log bytes;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  sendfile on; tcp_nopush on; keepalive_timeout 60; keepalive_requests 100000;
  default_type application/octet-stream;
  server {{ listen {address}:{port}; root {root}; }}
}}
"""


class Nginx:
    def __init__(self, scope, root, address="127.0.0.1", port=8080, namespace=None, name="nginx"):
        self.scope = scope
        self.name = name
        self.namespace = namespace
        self.folder = scope.path / name
        self.folder.mkdir()
        self.configuration = self.folder / "nginx.conf"
        self.configuration.write_text(CONFIGURATION.format(
            folder=self.folder, root=root, address=address, port=port))
        self.url = f"http://{address}:{port}"
        self.process = None
        self.start()

    def start(self):
        log = self.folder / "error.log"
        self.process = self.scope.start(
            ["nginx", "-e", str(log), "-c", str(self.configuration)], f"{self.name}.out",
            self.namespace)
        wait_until(lambda: (self.folder / "pid").exists() and self.process.running(), 10,
                   "nginx is up")

    def kill(self):
        self.process.kill()
        (self.folder / "pid").unlink(missing_ok=True)

    def bundle_requests(self):
        """Of each request for a bundle that has ended: the bytes asked for, and the bytes sent."""
        requests = []
        access = self.folder / "access.log"
        if access.exists():
            for line in access.read_text().splitlines():
                _, sent, uri, *asked = line.split(" ")
                if "/bundles/" in uri:
                    first, last = asked[0].removeprefix("bytes=").split("-")
                    requests.append((int(last) + 1 - int(first), int(sent)))
        return requests

    def bundle_bytes(self):
        """Body bytes of bundles served so far, interrupted ones included."""
        return sum(sent for _, sent in self.bundle_requests())

    def freeze(self):
        """Connections stay, new ones are taken by the kernel, but nothing is answered any more."""
        os.kill(self.process.pid, signal.SIGSTOP)
