#!/usr/bin/env python3
"""A volume plugin with nothing but Python's standard library.

usage: shelf_volumes.py SOCKET ROOT
"""
import json
import os
import re
import shutil
import socketserver
import sys
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler

MEDIA_TYPE = "application/vnd.docker.plugins.v1.2+json"


class Refused(Exception):
    """The text goes to the user."""


class Shelves:
    def __init__(self, root):
        self.root = root
        self.register = os.path.join(root, "shelves.json")
        self.lock = threading.Lock()
        os.makedirs(os.path.join(root, "shelves"), exist_ok=True)
        try:
            with open(self.register) as file:
                self.shelves = json.load(file)
        except FileNotFoundError:
            self.shelves = {}

    def save(self):
        draft = self.register + ".new"
        with open(draft, "w") as file:
            json.dump(self.shelves, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.register)

    def path(self, name):
        return os.path.join(self.root, "shelves", name)

    def find(self, name):
        if name not in self.shelves:
            raise Refused(f"no shelf {name}")
        return self.shelves[name]

    def describe(self, name):
        shelf = self.find(name)
        return {
            "Name": name,
            "Mountpoint": self.path(name),
            "CreatedAt": shelf["createdAt"],
            "Status": {"mounts": len(shelf["mounts"])},
        }

    def create(self, request):
        name, options = request["Name"], request.get("Opts") or {}
        for option in options:
            raise Refused(f'shelves take no options, not "{option}"')
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise Refused(f'"{name}" cannot be the name of a shelf')
        if name not in self.shelves:
            os.makedirs(self.path(name), exist_ok=True)
            self.shelves[name] = {"createdAt": datetime.now(timezone.utc).isoformat(), "mounts": []}
            self.save()
        return {}

    def remove(self, request):
        name = request["Name"]
        if self.find(name)["mounts"]:
            raise Refused(f"shelf {name} is mounted")
        del self.shelves[name]
        self.save()
        shutil.rmtree(self.path(name), ignore_errors=True)
        return {}

    def mount(self, request):
        mounts = self.find(request["Name"])["mounts"]
        if request["ID"] not in mounts:
            mounts.append(request["ID"])
            self.save()
        return {"Mountpoint": self.path(request["Name"])}

    def unmount(self, request):
        mounts = self.find(request["Name"])["mounts"]
        if request["ID"] in mounts:
            mounts.remove(request["ID"])
            self.save()
        return {}

    def where(self, request):
        self.find(request["Name"])
        return {"Mountpoint": self.path(request["Name"])}

    def methods(self):
        return {
            "/Plugin.Activate": lambda _: {"Implements": ["VolumeDriver"]},
            "/VolumeDriver.Capabilities": lambda _: {"Capabilities": {"Scope": "local"}},
            "/VolumeDriver.Create": self.create,
            "/VolumeDriver.Remove": self.remove,
            "/VolumeDriver.Mount": self.mount,
            "/VolumeDriver.Unmount": self.unmount,
            "/VolumeDriver.Path": self.where,
            "/VolumeDriver.Get": lambda request: {"Volume": self.describe(request["Name"])},
            "/VolumeDriver.List": lambda _: {"Volumes": [self.describe(name) for name in self.shelves]},
        }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shelves = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        method = self.shelves.methods().get(self.path)
        if method is None:
            return self.answer(404, {"Err": f"{self.path} is not a method of this plugin"})
        try:
            with self.shelves.lock:
                self.answer(200, method(json.loads(body) if body else {}))
        except Refused as refusal:
            self.answer(200, {"Err": str(refusal)})
        except Exception as error:
            self.answer(500, {"Err": f"{type(error).__name__}: {error}"})

    def answer(self, status, content):
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", MEDIA_TYPE)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self):
        return "engine"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def main():
    socket_path, root = sys.argv[1:]
    Handler.shelves = Shelves(root)
    if os.path.exists(socket_path):
        os.unlink(socket_path)
    os.umask(0o117)
    with Server(socket_path, Handler) as server:
        print(f"serving volumes of {root} on {socket_path}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
