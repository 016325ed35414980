"""A static HTTP/1.1 server with ranges that counts what it serves and misbehaves on request.
Every fault is a plain setting; the server runs in threads of the test."""

import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

CHUNK = 64 << 10


class EdgeServer:
    """Serves a folder; use url. Settings may change while it runs."""

    def __init__(self, folder, address="127.0.0.1"):
        self.folder = Path(folder)
        self.rate_bytes_per_s = 0      # of all connections together; 0: unlimited
        self.refuse = False            # closes every connection at once
        self.status_for = {}           # regex of the path -> HTTP status to answer with
        self.corrupt = None            # regex: one byte of each such body is flipped
        self.truncate = None           # regex: half of each such body, then the connection closes
        self.endless = None            # regex: the body never ends
        self.stall = None              # regex: nothing after the header
        self.ignore_ranges = None      # regex: 200 with the whole file, whatever was asked
        self.wrong_range = None        # regex: 206 with bytes from another place
        self.lock = threading.Lock()
        self.bytes_by_path = {}
        self.served = []               # (path, first, length) of bodies sent to the end
        self.next_send = 0.0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                server.answer(self, body=False)

            def do_GET(self):
                server.answer(self, body=True)

        ThreadingHTTPServer.daemon_threads = True
        ThreadingHTTPServer.request_queue_size = 128
        self.requested = set()         # paths that were asked for
        self.http = ThreadingHTTPServer((address, 0), Handler)
        self.http.handle_error = lambda *_: None  # a client that hangs up is no error here
        self.url = f"http://{address}:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def bundle_bytes(self):
        with self.lock:
            return sum(n for path, n in self.bytes_by_path.items() if "/bundles/" in path)

    def forget_counts(self):
        with self.lock:
            self.bytes_by_path.clear()
            self.served.clear()

    def answer(self, request, body):
        path = unquote(request.path.split("?")[0])
        self.requested.add(path)
        if self.refuse:
            request.close_connection = True
            return
        for pattern, status in self.status_for.items():
            if re.search(pattern, path):
                return self.say(request, status)
        file = self.folder / path.lstrip("/")
        if ".." in path or not file.is_file():
            return self.say(request, 404)
        size = file.stat().st_size
        first, last, status = self.range_of(request, path, size)
        if status == 416:
            return self.say(request, 416)
        length = last - first + 1
        request.send_response(status)
        if self.matches(self.endless, path):
            request.send_header("Transfer-Encoding", "chunked")
        else:
            request.send_header("Content-Length", str(length))
        request.send_header("Accept-Ranges", "bytes")
        if status == 206:
            request.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        request.end_headers()
        if body:
            try:
                self.send_body(request, path, file, first, length)
            except OSError:
                request.close_connection = True

    @staticmethod
    def matches(pattern, path):
        return pattern is not None and re.search(pattern, path) is not None

    def range_of(self, request, path, size):
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if not match or self.matches(self.ignore_ranges, path):
            return 0, size - 1, 200
        first = int(match.group(1))
        last = min(int(match.group(2) or size - 1), size - 1)
        return (first, last, 206) if first <= last else (0, 0, 416)

    def send_body(self, request, path, file, first, length):
        if self.matches(self.stall, path):
            time.sleep(600)
            return
        if self.matches(self.endless, path):
            while True:
                request.wfile.write(b"10000\r\n" + bytes(65536) + b"\r\n")
        left = length // 2 if self.matches(self.truncate, path) else length
        flip = self.matches(self.corrupt, path)
        with open(file, "rb") as stream:
            stream.seek(0 if self.matches(self.wrong_range, path) else first)
            while left > 0:
                data = stream.read(min(CHUNK, left))
                if not data or self.refuse:
                    break
                if flip:
                    data = bytes([data[0] ^ 1]) + data[1:]
                    flip = False
                self.pace(len(data))
                request.wfile.write(data)
                left -= len(data)
                with self.lock:
                    self.bytes_by_path[path] = self.bytes_by_path.get(path, 0) + len(data)
        if left > 0 or self.matches(self.truncate, path):
            request.close_connection = True
            return
        with self.lock:
            self.served.append((path, first, length))

    def pace(self, count):
        if not self.rate_bytes_per_s:
            return
        with self.lock:
            now = time.monotonic()
            self.next_send = max(self.next_send, now - 0.05) + count / self.rate_bytes_per_s
            delay = self.next_send - now
        if delay > 0:
            time.sleep(delay)

    def say(self, request, status):
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()
