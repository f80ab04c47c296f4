"""What blobs cost: put and get of one large and of many small ones, beside `cp` and beside plain curl.

usage: blob.py [--mib N] [--small N] [--rounds N]      WEIR names the binary (default: build/release/weir)

Each round runs all cases in turn, so that a busy machine slows all; the table gives medians. In a directory the limit is `cp` and
an fsync, and what SHA-256 of the file takes; in S3, curl that sends the file in one request or gets it, signed, with the digest
known before. The server is the one of the tests, on this machine: it takes a part of the two cores itself. Small blobs are put by
one process each, so starting it counts, for weir as for curl."""

import argparse
import datetime
import hashlib
import hmac
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
sys.path.insert(0, str(ROOT / "tests/end_to_end"))

from s3_server import ACCESS, KEYS, SECRET, VERSITYGW, Server, place  # noqa: E402

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("WEIR_", "AWS_"))} | KEYS


def timed(command, **options):
    begun = time.monotonic()
    done = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    seconds = time.monotonic() - begun
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}: {done.stderr.decode()}")
    return seconds, done.stdout.decode().strip()


def signed(method, port, key, digest):
    """The URL and the headers of a request to S3 (Signature Version 4), as curl takes them."""
    moment = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": f"127.0.0.1:{port}", "x-amz-content-sha256": digest, "x-amz-date": moment}
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"{method}\n/bucket/{key}\n\n{lines}\n{';'.join(headers)}\n{digest}"
    scope = f"{moment[:8]}/us-east-1/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    secret = ("AWS4" + SECRET).encode()
    for step in (*scope.split("/"), text):
        secret = hmac.new(secret, step.encode(), hashlib.sha256).digest()
    name = f"Authorization: AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={';'.join(headers)}, Signature={secret.hex()}"
    return [f"http://127.0.0.1:{port}/bucket/{key}", "-H", name, *(w for n, v in headers.items() if n != "host" for w in ("-H", f"{n}: {v}"))]


def curl(method, port, key, digest, *words):
    return timed(["curl", "-sS", "--fail", *words, *signed(method, port, key, digest)])[0]


def measure_large(folder, server, file, samples):
    """One round with the large file; each time with a content of its own, as what is there is not sent."""
    with file.open("r+b") as out:
        out.write(os.urandom(64))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    back, kept = folder / "back", folder / "kept"
    empty = hashlib.sha256(b"").hexdigest()

    def note(name, seconds):
        samples.setdefault(name, []).append(seconds)

    note("sha256sum", timed(["sha256sum", file])[0])
    note("cp and sync", timed(["sh", "-c", f"cp {file} {folder}/copy && sync {folder}/copy"])[0])
    note("weir blob put, directory", timed([WEIR, "blob", "put", file, "--blobs", kept])[0])
    note("cp back", timed(["cp", folder / "copy", back])[0])
    note("weir blob get, directory", timed([WEIR, "blob", "get", f"sha256:{digest}", "-o", back, "--blobs", kept])[0])
    url, piped = place(server.port), place(server.port, "piped")
    note("curl PUT, S3", curl("PUT", server.port, "plain", digest, "-H", "Expect:", "-T", str(file)))
    note("weir blob put, S3", timed([WEIR, "blob", "put", file, "--blobs", url])[0])
    note("weir blob put from a pipe, S3", timed(["sh", "-c", f"cat {file} | {WEIR} blob put - --blobs '{piped}'"])[0])
    note("curl GET, S3", curl("GET", server.port, "plain", empty, "-o", str(back)))
    note("weir blob get, S3", timed([WEIR, "blob", "get", f"sha256:{digest}", "-o", back, "--blobs", url])[0])
    for blobs in str(kept), url, piped:
        timed([WEIR, "blob", "rm", f"sha256:{digest}", "--blobs", blobs])


def measure_small(folder, server, count, samples):
    file = folder / "small"
    cases = {
        "cp and sync": lambda digest: timed(["sh", "-c", f"cp {file} {folder}/copy && sync {folder}/copy"])[0],
        "weir blob put, directory": lambda digest: timed([WEIR, "blob", "put", file, "--blobs", folder / "kept"])[0],
        "curl PUT, S3": lambda digest: curl("PUT", server.port, "plain", digest, "-T", str(file)),
        "weir blob put, S3": lambda digest: timed([WEIR, "blob", "put", file, "--blobs", place(server.port)])[0],
    }
    for _ in range(count):
        data = os.urandom(64 * 1024)
        file.write_bytes(data)
        for name, run in cases.items():
            samples.setdefault(name, []).append(run(hashlib.sha256(data).hexdigest()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--small", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if not VERSITYGW.exists():
        sys.exit("no versitygw: `./dev setup` builds it where there is Go")
    large, small = {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = Server(folder)
        file = folder / "large"
        with file.open("wb") as out:
            for _ in range(arguments.mib):
                out.write(os.urandom(1024 * 1024))
        for _ in range(arguments.rounds):
            measure_large(folder, server, file, large)
        measure_small(folder, server, arguments.small, small)
        server.close()
    print(f"{f'one of {arguments.mib} MiB':<34}{'median':>10}{'rate':>14}")
    for name, seconds in large.items():
        middle = statistics.median(seconds)
        print(f"{name:<34}{middle * 1e3:>7.0f} ms{arguments.mib / middle:>8.0f} MiB/s")
    print(f"\n{'of 64 KiB, a process each':<34}{'median':>10}")
    for name, seconds in small.items():
        print(f"{name:<34}{statistics.median(seconds) * 1e3:>7.1f} ms")


if __name__ == "__main__":
    main()
