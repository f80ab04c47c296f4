"""The site that the ladder downloads from: pages, each of which says where a file is, and the files.

usage: server.py [--latency SECONDS] [--port PORT] [--until-eof]

It prints its address, and serves until it is interrupted, or with --until-eof until its standard input ends. Each answer
takes the latency. Two pages share a file: page N is about file N // 2. And as sites are, some of it is broken:

- file 3, 28, 53 and so on fail with status 500, and so do the downloads of the two pages that are about each;
- page 42, 142 and so on are gone: status 404;
- file 11, 31, 51 and so on take five times as long.
"""

import argparse
import asyncio
import sys


def is_broken(file):
    return file % 25 == 3


def is_gone(page):
    return page % 100 == 42


def is_slow(file):
    return file % 20 == 11


def answer(path, address):
    """The status, the body and how many latencies it takes."""
    kind, _, number = path.strip("/").partition("/")
    if kind not in ("page", "file") or not number.isdecimal():
        return "404 Not Found", b"there are /page/N and /file/N\n", 1
    number = int(number)
    if kind == "page":
        return ("404 Not Found", b"gone\n", 1) if is_gone(number) else ("200 OK", f"{address}/file/{number // 2}".encode(), 1)
    if is_broken(number):
        return "500 Internal Server Error", b"broken\n", 1
    return "200 OK", f"this is file {number}\n".encode() * 5, 5 if is_slow(number) else 1


class Connection(asyncio.Protocol):
    """One connection: its requests one after the other, each answered after the latency."""

    def __init__(self, latency):
        self.latency = latency
        self.received = b""

    def connection_made(self, transport):
        self.transport = transport
        host, port = transport.get_extra_info("sockname")
        self.address = f"http://{host}:{port}"

    def data_received(self, data):
        self.received += data
        if len(self.received) > 65536:
            self.transport.abort()
        elif b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            self.take(head.decode("latin-1"))

    def take(self, head):
        words = head.split("\r\n", 1)[0].split()
        path = words[1] if len(words) == 3 else ""
        status, body, latencies = answer(path, self.address)
        closes = "connection: close" in head.lower()
        text = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        text += "Connection: close\r\n\r\n" if closes else "\r\n"
        asyncio.get_running_loop().call_later(latencies * self.latency, self.give, text.encode() + body, closes)

    def give(self, data, closes):
        self.transport.write(data)
        if closes:
            self.transport.close()


async def serve(arguments):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(arguments.latency), "127.0.0.1", arguments.port, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await (loop.run_in_executor(None, sys.stdin.read) if arguments.until_eof else asyncio.Event().wait())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--until-eof", action="store_true")
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        pass
