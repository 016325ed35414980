#!/usr/bin/env python3
"""A launcher that follows the daemon's event stream: it asks for an update and draws its progress
as the events come, without polling. Only Python's standard library.

    examples/launcher.py PRODUCT [--socket PATH]
"""

import argparse
import http.client
import json
import socket
import sys

ENDED = ("done", "failed", "cancelled")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the daemon's Unix socket."""

    def __init__(self, path):
        super().__init__("shoal")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def call(path, method, url, body=None):
    """One request; returns the decoded answer, or raises SystemExit with the daemon's words."""
    connection = UnixConnection(path)
    payload = None if body is None else json.dumps(body)
    connection.request(method, "/v1" + url, payload, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read() or "null")
    connection.close()
    if response.status >= 400:
        sys.exit(f"launcher: {answer['message']}. {answer['remedy']}")
    return answer


def open_events(path):
    """Opens the Server-Sent-Events stream: what happens from now on can be read from it."""
    connection = UnixConnection(path)
    connection.request("GET", "/v1/events", headers={"Accept": "text/event-stream"})
    return connection.getresponse()


def events(response):
    """Yields (name, data) for each event; names are 'change', 'install', 'resync', …"""
    name, data = "message", []
    for raw in response:
        line = raw.decode().rstrip("\r\n")
        if not line:
            if data:
                yield name, json.loads("\n".join(data))
            name, data = "message", []
        elif line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].strip())


def draw(change):
    """One line that is written over: a bar, the rates, and where the bytes come from."""
    counts = change["bytes"]
    share = counts["fetched"] / counts["total"] if counts["total"] else 0.0
    bar = ("#" * round(share * 30)).ljust(30)
    rate = (change["edge_bytes_per_s"] + change["peers_bytes_per_s"]) / 1e6
    print(f"\r[{bar}] {share:4.0%}  {rate:6.1f} MB/s  edge {counts['edge'] / 1e6:.1f} MB  "
          f"peers {counts['peers'] / 1e6:.1f} MB  {change['state']:<9}", end="", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Brings a product up to date and shows progress.")
    parser.add_argument("product")
    parser.add_argument("--socket", default="/run/shoal/api.sock")
    arguments = parser.parse_args()

    # Opened before the change, so that none of its events is missed.
    stream = events(open_events(arguments.socket))
    installs = call(arguments.socket, "GET", "/installs")["installs"]
    there = any(install["product"] == arguments.product for install in installs)
    change = call(arguments.socket, "POST", "/changes",
                  {"kind": "update" if there else "install", "product": arguments.product})
    while change["state"] not in ENDED:
        draw(change)
        name, data = next(stream, ("end", None))
        if name == "end":
            raise ConnectionResetError  # the change goes on when the daemon is back
        if name == "change" and data["id"] == change["id"]:
            change = data
        elif name == "resync":  # events were lost: ask for the whole
            change = call(arguments.socket, "GET", "/changes/" + change["id"])
    draw(change)
    print()
    if change["state"] != "done":
        error = change.get("error")
        why = f" {error['message']}. {error['remedy']}" if error else ""
        sys.exit(f"launcher: {change['state']}.{why}")


if __name__ == "__main__":
    try:
        main()
    except (FileNotFoundError, ConnectionError, http.client.HTTPException):
        sys.exit("launcher: the daemon does not answer; is shoald running?")
    except KeyboardInterrupt:
        sys.exit("\nlauncher: the daemon goes on without this window")
