"""Registries for tests of images: distribution's `registry` (which `./dev setup` builds into build/tools), on loopback.

    registry = Registry(tmp_path)                     # for everybody, over http
    registry = Registry(tmp_path, auth="basic")       # USER and PASSWORD
    registry = Registry(tmp_path, auth="token")       # the same, exchanged for tokens at registry.tokens; see TokenServer
    registry = Registry(tmp_path, tls=True)           # a certificate that nobody vouches for, registry.certificate

    digest = registry.push("tools/busybox:1.36", image([{"bin/sh": (0o755, data)}], Cmd=["sh"]))
    registry.push("tools/busybox:all", index({"linux/amd64": image(...), "linux/arm64/v8": image(...)}))
    registry.host                                     # "127.0.0.1:PORT": what stands before the name of an image
    registry.close()

Pushing needs no server: blobs are written where the registry keeps its own. What an image is made of are plain values, which a
test may spoil before it pushes them. `Meddler` stands in front of a registry, and cuts, delays, refuses and lies."""

import atexit
import base64
import gzip
import hashlib
import http.client
import http.server
import io
import json
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tarfile
import threading
import time
import urllib.parse

import pytest

from s3_server import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
REGISTRY = ROOT / "build/tools/registry"
USER, PASSWORD, IDENTITY = "reader", "s3cr3t-of-the-tests", "identity-of-the-tests"
# Of that password, as `htpasswd -B` writes it.
HTPASSWD = "$2b$04$yhLCNNzca0WtGOZU514Ii.ylWyHMAUGmWMhhnf3GiA/GlB6CUoI9O"

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar(files):
    """An uncompressed layer: {name: bytes, (mode, bytes), "-> target" or None for a folder}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, what in files.items():
            entry = tarfile.TarInfo(name)
            mode, data = what if isinstance(what, tuple) else (0o644, what)
            if data is None:
                entry.type, entry.mode, data = tarfile.DIRTYPE, 0o755, b""
            elif isinstance(data, str):
                entry.type, entry.linkname, data = tarfile.SYMTYPE, data.removeprefix("-> "), b""
            else:
                entry.mode, entry.size = mode, len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


class Image:
    """A manifest (a dictionary) and the blobs that it needs, {digest: bytes}. `kind` is the manifest's media type."""

    def __init__(self, manifest, blobs, kind):
        self.manifest, self.blobs, self.kind = manifest, blobs, kind

    @property
    def bytes(self):
        return json.dumps(self.manifest).encode()


def image(layers, form="oci", compress="gzip", platform="linux/amd64", **config):
    """An image of layers (dictionaries as `tar` takes them, or bytes of tar files); `config` is its Cmd, Env and so on. `form` is "oci"
    or "docker", `compress` "gzip", "zstd" or "none"."""
    blobs, described, diff_ids = {}, [], []
    for layer in layers:
        plain = tar(layer) if isinstance(layer, dict) else layer
        packed, kind = pack(plain, compress, form)
        blobs[digest_of(packed)] = packed
        described.append({"mediaType": kind, "digest": digest_of(packed), "size": len(packed)})
        diff_ids.append(digest_of(plain))
    system, architecture, *variant = platform.split("/")
    whole = {"architecture": architecture, "os": system, "created": "2026-01-01T00:00:00Z", "config": config}
    whole |= {"rootfs": {"type": "layers", "diff_ids": diff_ids}} | ({"variant": variant[0]} if variant else {})
    data = json.dumps(whole).encode()
    blobs[digest_of(data)] = data
    docker = form == "docker"
    kind = DOCKER_MANIFEST if docker else OCI_MANIFEST
    about = {"mediaType": DOCKER_CONFIG if docker else OCI_CONFIG, "digest": digest_of(data), "size": len(data)}
    return Image({"schemaVersion": 2, "mediaType": kind, "config": about, "layers": described}, blobs, kind)


def pack(plain, compress, form):
    if form == "docker":
        return gzip.compress(plain, 1, mtime=0), DOCKER_LAYER
    if compress == "gzip":
        return gzip.compress(plain, 1, mtime=0), OCI_LAYER + "+gzip"
    if compress == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=plain, capture_output=True, check=True).stdout, OCI_LAYER + "+zstd"
    return plain, OCI_LAYER


def index(images, form="oci"):
    """An index (or Docker's manifest list) of images by their platforms, {"linux/arm64/v8": Image}."""
    manifests, blobs, inner = [], {}, {}
    for platform, one in images.items():
        system, architecture, *variant = platform.split("/")
        about = {"os": system, "architecture": architecture} | ({"variant": variant[0]} if variant else {})
        data = one.bytes
        manifests.append({"mediaType": one.kind, "digest": digest_of(data), "size": len(data), "platform": about})
        blobs |= one.blobs
        inner[digest_of(data)] = data
    kind = DOCKER_LIST if form == "docker" else OCI_INDEX
    whole = Image({"schemaVersion": 2, "mediaType": kind, "manifests": manifests}, blobs, kind)
    whole.inner = inner
    return whole


def make_certificate(folder, name):
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    return key, certificate


def serve(handler, tls=None):
    """A server with that handler, on a thread of its own."""

    class Quiet(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass  # who was answered enough goes away

    server = Quiet(("127.0.0.1", 0), handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls[1], tls[0])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


class Handler(http.server.BaseHTTPRequestHandler):
    """What the servers here share."""

    protocol_version = "HTTP/1.1"

    def handle(self):
        plain = not isinstance(self.connection, ssl.SSLSocket)
        if plain and self.connection.recv(1, socket.MSG_PEEK) == b"\x16":
            return  # who asks for TLS is told at once that there is none
        super().handle()

    def reply(self, status, body=b"", **headers):
        self.send_response_only(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class TokenServer:
    """Gives tokens of Docker's form. `anonymous` repositories may be pulled by everybody, others by USER with PASSWORD, or with the
    identity token IDENTITY. `requests` are (method, path and query, headers, form) of each that came; tokens last `expires_s`."""

    def __init__(self, key, certificate, anonymous=(), expires_s=300, field="token"):
        self.key, self.requests, self.anonymous, self.expires_s, self.field = key, [], anonymous, expires_s, field
        pem = certificate.read_text()
        self.chain = [re.sub(r"-----[^-]+-----|\s", "", pem)]
        outer = self

        class Tokens(Handler):
            def do_GET(self):
                asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                outer.requests.append(("GET", self.path, dict(self.headers), {}))
                basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                given = self.headers.get("Authorization")
                outer.answer(self, asked, None if given is None else given == f"Basic {basic}")

            def do_POST(self):
                form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                outer.requests.append(("POST", self.path, dict(self.headers), form))
                known = form.get("grant_type") == "refresh_token" and form.get("refresh_token") == IDENTITY
                known |= form.get("grant_type") == "password" and form.get("password") == PASSWORD
                outer.answer(self, form, known)

        self.server = serve(Tokens)
        self.url = f"http://127.0.0.1:{self.server.server_port}/token"

    def answer(self, handler, asked, known):
        if known is False:
            handler.reply(401, b'{"details":"incorrect username or password"}')
            return
        granted = []
        for scope in asked.get("scope", "").split():
            kind, name, actions = scope.split(":")
            if known or name in self.anonymous:
                granted.append({"type": kind, "name": name, "actions": actions.split(",")})
        token = self.token(asked["service"], granted)
        body = {self.field: token, "expires_in": self.expires_s}
        handler.reply(200, json.dumps(body).encode(), Content_Type="application/json")

    def token(self, audience, access):
        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        now = int(time.time())
        header = {"typ": "JWT", "alg": "RS256", "x5c": self.chain}
        claims = {"iss": "tests", "sub": USER, "aud": audience, "exp": now + self.expires_s, "nbf": now - 10, "iat": now}
        claims |= {"jti": str(time.time_ns()), "access": access}
        signed = part(json.dumps(header).encode()) + b"." + part(json.dumps(claims).encode())
        command = ["openssl", "dgst", "-sha256", "-sign", self.key]
        signature = subprocess.run(command, input=signed, capture_output=True, check=True).stdout
        return (signed + b"." + part(signature)).decode()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Registry:
    """`folder` has its certificates, and its blobs in registry/: several may be made of one folder. `tokens` are options of TokenServer; `clients`:
    the certificate of who vouches for those who may ask."""

    def __init__(self, folder, auth=None, tls=False, clients=None, **tokens):
        if not REGISTRY.exists():
            pytest.skip("no registry: `./dev setup` builds it")
        self.root, self.port = folder / "registry", free_port()
        self.host, self.tokens = f"127.0.0.1:{self.port}", None
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self.root.mkdir(exist_ok=True)
        http_settings = {"addr": self.host, "secret": "of the tests"}
        settings = {"version": "0.1", "log": {"level": "warn", "accesslog": {"disabled": True}}, "http": http_settings}
        settings["storage"] = {"filesystem": {"rootdirectory": str(self.root)}, "delete": {"enabled": True}}
        if tls:
            key, self.certificate = make_certificate(folder, "tls")
            http_settings["tls"] = {"certificate": str(self.certificate), "key": str(key)}
            if clients:  # whose certificates are theirs
                http_settings["tls"]["clientcas"] = [str(clients)]
        if auth == "basic":
            (folder / "htpasswd").write_text(f"{USER}:{HTPASSWD}\n")
            settings["auth"] = {"htpasswd": {"realm": "of the tests", "path": str(folder / "htpasswd")}}
        if auth == "token":
            self.tokens = TokenServer(*make_certificate(folder, "token"), **tokens)
            settings["auth"] = {"token": {"realm": self.tokens.url, "service": "service of the tests", "issuer": "tests",
                                          "rootcertbundle": str(folder / "token.pem")}}
        self.settings = folder / f"registry-{self.port}.yaml"
        self.settings.write_text(json.dumps(settings))
        atexit.register(self.kill)  # a test that failed may have left it
        self.start()

    def start(self):
        log = open(self.settings.with_suffix(".log"), "ab")
        self.process = subprocess.Popen([REGISTRY, "serve", self.settings], stdout=log, stderr=log)
        log.close()
        for _ in range(1000):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError("the registry does not listen: " + self.settings.with_suffix(".log").read_text())

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        self.kill()
        if self.tokens:
            self.tokens.close()
        shutil.rmtree(self.root)

    def blob_file(self, digest):
        letters = digest.removeprefix("sha256:")
        return self.root / "docker/registry/v2/blobs/sha256" / letters[:2] / letters / "data"

    def put_blob(self, repository, data, kind="_layers", digest=None):
        """Under another digest than its own where one is given."""
        digest = digest or digest_of(data)
        self.write(self.blob_file(digest), data)
        links = self.root / "docker/registry/v2/repositories" / repository / kind
        self.write(links / digest.replace(":", "/") / "link", digest.encode())
        return digest

    @staticmethod
    def write(path, data):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def push(self, name, what):
        """The digest of its manifest. `name` is REPOSITORY:TAG, `what` an image or an index."""
        repository, tag = name.rsplit(":", 1)
        for digest, data in what.blobs.items():
            self.put_blob(repository, data, digest=digest)
        for data in getattr(what, "inner", {}).values():
            self.put_blob(repository, data, "_manifests/revisions")
        digest = self.put_blob(repository, what.bytes, "_manifests/revisions")
        tags = self.root / "docker/registry/v2/repositories" / repository / "_manifests/tags" / tag
        self.write(tags / "current/link", digest.encode())
        self.write(tags / "index" / digest.replace(":", "/") / "link", digest.encode())
        return digest


class Meddler:
    """Stands in front of a registry. Each rule is a function of the request's method and path that gives None, or what is done to the
    answer, of which a test says what it needs: {"status": 500, "headers": {…}, "body": b"…"} instead of it; {"cut": N} ends the connection
    after N bytes of the body; {"delay_s": S} waits before it; {"stall": N} stops for ever after N bytes; {"spoil": N} turns one bit of
    byte N; {"set": {name: value or None}} changes headers; {"no_ranges": True} begins anew for who wants to go on.
    `requests` are (method, path, headers) of each that came, `hosts` what it was asked as."""

    def __init__(self, registry, *rules, tls=None):
        self.requests, self.rules, self.target, self.lock = [], list(rules), registry, threading.Lock()
        self.busy = self.busy_most = 0
        outer = self

        class Between(Handler):
            def between(self):
                with outer.lock:
                    outer.requests.append((self.command, self.path, dict(self.headers)))
                    rule = next((told for rule in outer.rules if (told := rule(self.command, self.path)) is not None), {})
                    outer.busy += 1
                    outer.busy_most = max(outer.busy, outer.busy_most)
                try:
                    time.sleep(rule.get("delay_s", 0))
                    if "status" in rule:
                        self.reply(rule["status"], rule.get("body", b""), **rule.get("headers", {}))
                    else:
                        outer.pass_on(self, rule)
                finally:
                    with outer.lock:
                        outer.busy -= 1

            do_GET = do_HEAD = do_POST = between

        self.server = serve(Between, tls)
        self.port = self.server.server_port
        self.host = f"127.0.0.1:{self.port}"
        self.stopped = threading.Event()

    def pass_on(self, handler, rule):
        left_out = {"host", "connection"} | ({"range"} if rule.get("no_ranges") else set())
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in left_out}
        connection = http.client.HTTPConnection("127.0.0.1", self.target.port, timeout=30)
        connection.request(handler.command, handler.path, headers={**headers, "Host": handler.headers["Host"]})
        answer = connection.getresponse()
        told = {name.title(): value for name, value in answer.getheaders() if name.lower() not in ("connection", "date")}
        for name, value in rule.get("set", {}).items():
            told.pop(name.title(), None)
            told |= {name.title(): value} if value is not None else {}
        handler.send_response_only(answer.status)
        for name, value in told.items():
            handler.send_header(name, value)
        handler.end_headers()
        self.pass_body(handler, answer, rule)
        connection.close()

    def pass_body(self, handler, answer, rule):
        passed, ends = 0, rule.get("cut", rule.get("stall"))
        while data := answer.read(65536):
            if "spoil" in rule and passed <= rule["spoil"] < passed + len(data):
                at = rule["spoil"] - passed
                data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            if ends is not None and passed + len(data) > ends:
                handler.wfile.write(data[: ends - passed])
                handler.wfile.flush()
                if "stall" in rule:
                    self.stopped.wait(60)
                handler.close_connection = True
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            handler.wfile.write(data)
            passed += len(data)

    def close(self):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()


def times(count, wanted, told):
    """A rule of Meddler for the first `count` requests whose "METHOD PATH" has the pattern."""
    left = [count]

    def rule(method, path):
        if left[0] > 0 and re.search(wanted, f"{method} {path}"):
            left[0] -= 1
            return told
        return None

    return rule
