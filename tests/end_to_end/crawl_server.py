"""A site to crawl, on loopback: a login form with a token, and pages that take their time.

usage: crawl_server.py [--delay SECONDS] [--public]

Prints its port, and serves 127.0.0.1 and 127.0.0.2 until its standard input ends. Raw asyncio, for speed: the crawler is what is
tested. `/page/N` on 127.0.0.1 wants the session of a login (403 without, unless --public), on 127.0.0.2 nothing; of each
hundred, page 7 is missing and page 33 breaks off. `/stats` says how often each page was asked for, and how many
were under way at once."""

import argparse
import asyncio
import collections
import json
import re
import secrets
import sys
import urllib.parse

USER, PASSWORD = "me", "pass word&"


class Site:
    def __init__(self, delay_s, public):
        self.delay_s = delay_s
        self.public = public
        self.tokens = {}  # by the cookie of who asked for the form
        self.sessions = set()
        self.under_way = self.most_under_way = self.logins = 0
        self.asked = collections.Counter()  # by host and number

    def answer(self, request):
        """Status, headers, body; None breaks off."""
        if request.path == "/login" and request.method == "GET":
            return self.form()
        if request.path == "/session" and request.method == "POST":
            return self.log_in(request)
        if request.path == "/welcome":
            return 200, {}, b"welcome"
        if request.path == "/stats":
            asked = {f"{host}/page/{number}": count for (host, number), count in self.asked.items()}
            stats = {"most_under_way": self.most_under_way, "asked": asked, "logins": self.logins}
            return 200, {"Content-Type": "application/json"}, json.dumps(stats).encode()
        return self.page(request)

    def form(self):
        visitor, token = secrets.token_hex(8), secrets.token_urlsafe(32) + "+/=="
        self.tokens[visitor] = token
        body = f"""<!doctype html><title>Sign in</title><form action="session?from=form" method=post>
            <input type=hidden name=authenticity_token value="{token}"><input name=login><input name=password type=password>
            </form>"""
        return 200, {"Content-Type": "text/html", "Set-Cookie": f"visitor={visitor}; Path=/; HttpOnly"}, body.encode()

    def log_in(self, request):
        fields = dict(urllib.parse.parse_qsl(request.body.decode()))
        token = self.tokens.pop(request.cookies.get("visitor"), None)
        self.logins += 1
        if token is None or fields != {"login": USER, "password": PASSWORD, "authenticity_token": token}:
            return 401, {}, b"no"
        session = secrets.token_hex(16)
        self.sessions.add(session)
        return 302, {"Location": "/welcome", "Set-Cookie": f"session={session}; Path=/; HttpOnly"}, b""

    def page(self, request):
        match = re.fullmatch(r"/page/(\d+)", request.path)
        number = int(match[1]) if match else 7
        self.asked[request.host, number] += 1
        if number % 100 == 7:
            return 404, {"Content-Type": "text/html"}, b"<title>Nothing here</title>"
        if number % 100 == 33:
            return None
        if not self.public and request.host == "127.0.0.1" and request.cookies.get("session") not in self.sessions:
            return 403, {}, b"who are you?"
        body = f"""<!doctype html><html><head><title>Page {number}</title></head><body><h1>Page &#8470;{number}</h1>
            <p>{"Words that nobody reads. " * 20}</p>
            <a href="{number + 1}">next</a> <a href="/page/0#top">first</a> <a href="mailto:me@example.org">write</a></body></html>"""
        return 200, {"Content-Type": "text/html; charset=utf-8"}, body.encode()


class Request:
    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.method, target, _ = lines[0].split(" ")
        self.path = target.partition("?")[0]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.host = headers.get("host", "").partition(":")[0]
        self.cookies = dict(pair.split("=", 1) for pair in headers.get("cookie", "").split("; ") if "=" in pair)
        self.length = int(headers.get("content-length", 0))
        self.body = body


class Connection(asyncio.Protocol):
    def __init__(self, site):
        self.site = site
        self.received = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        request = Request(head, body)
        if len(body) < request.length:
            return
        self.received = b""
        if not request.path.startswith("/page/") or not self.site.delay_s:
            self.respond(self.site.answer(request))
            return
        self.site.under_way += 1
        self.site.most_under_way = max(self.site.most_under_way, self.site.under_way)
        asyncio.get_running_loop().call_later(self.site.delay_s, self.respond_late, request)

    def respond_late(self, request):
        self.site.under_way -= 1
        self.respond(self.site.answer(request))

    def respond(self, answer):
        if answer is None:
            self.transport.abort()
            return
        status, headers, body = answer
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(f"HTTP/1.1 {status} Because\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body)


async def serve(arguments):
    site, loop = Site(arguments.delay, arguments.public), asyncio.get_running_loop()
    first = await loop.create_server(lambda: Connection(site), "127.0.0.1", 0, backlog=2048)
    port = first.sockets[0].getsockname()[1]
    second = await loop.create_server(lambda: Connection(site), "127.0.0.2", port, backlog=2048)
    print(port, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    first.close()
    second.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.02)
    parser.add_argument("--public", action="store_true")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
