"""What tests of S3 need: a versitygw on loopback that can be killed and started again, a proxy that cuts connections, and a
server that gives the answers it is told to give."""

import atexit
import http.server
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSITYGW = ROOT / "build/tools/versitygw"
ACCESS, SECRET = "access", "s3cr3t-of-the-tests"
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "no_proxy": "*"}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Server:
    """A bucket is a folder of `root`, an object a file in it."""

    def __init__(self, folder, *options):
        if not VERSITYGW.exists():
            pytest.skip("no versitygw: `./dev setup` builds it")
        self.root, self.port, self.options = folder / "s3", free_port(), options
        (self.root / "bucket").mkdir(parents=True)
        atexit.register(lambda: self.process.kill())  # a test that failed may have left it
        self.start()

    def start(self):
        command = [VERSITYGW, "--port", f"127.0.0.1:{self.port}", "--access", ACCESS, "--secret", SECRET, "--quiet"]
        self.process = subprocess.Popen(
            [*command, *self.options, "posix", self.root], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError("versitygw does not listen")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.root)


class Proxy:
    """Passes connections on. The first `cuts` of those that brought `after` bytes one way ("up" or "down") are cut there."""

    def __init__(self, port, way="up", after=0, cuts=0, delay_s=0):
        self.target, self.way, self.after, self.cuts, self.delay_s = port, way, after, cuts, delay_s
        self.bytes = {"up": 0, "down": 0}
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for ends in (client, server, "up"), (server, client, "down"):
                threading.Thread(target=self.pass_on, args=ends, daemon=True).start()

    def pass_on(self, source, target, way):
        passed = 0
        try:
            while data := source.recv(65536):
                passed += len(data)
                with self.lock:
                    self.bytes[way] += len(data)
                    cut = way == self.way and self.cuts > 0 and passed > self.after
                    self.cuts -= cut
                if cut:
                    break
                time.sleep(self.delay_s)
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


class Answers:
    """A server that answers each request with the next of (status, headers, body), and the last for ever."""

    def __init__(self, *answers):
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, body = answers[min(len(outer.requests), len(answers) - 1)]
                outer.requests.append((self.command, self.path, dict(self.headers)))
                self.send_response_only(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

            def log_message(self, *arguments):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # who was answered enough goes away

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def place(port, prefix="tests", **options):
    more = "".join(f"&{name}={value}" for name, value in options.items())
    return f"s3://bucket/{prefix}?endpoint=http://127.0.0.1:{port}{more}"


def peak_of(command, environment, **options):
    """Runs it; the exit code and the peak memory in bytes, of the program alone and not of what started it."""
    process = subprocess.Popen(command, env={**os.environ, **environment}, **options)
    peak = 0
    while process.poll() is None:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        if high := re.search(r"VmHWM:\s+(\d+) kB", status):
            peak = int(high[1]) * 1024
        time.sleep(0.005)
    return process.returncode, peak
