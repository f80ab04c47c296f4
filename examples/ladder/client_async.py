"""What the rungs with an event loop have in common: a request that lets others go on while it waits."""

import asyncio
from urllib.parse import urlsplit

from client import Failed


async def fetch(url):
    """One request of HTTP/1.0 on a connection of its own, as plain as can be: what comes is the answer, until its end."""
    parts = urlsplit(url)
    request = f"GET {parts.path} HTTP/1.0\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            writer.write(request.encode())
            answer = await reader.read(-1)
            writer.close()
    except (OSError, TimeoutError) as error:
        raise Failed(f"{url}: {error or 'timed out'}") from None
    head, _, body = answer.partition(b"\r\n\r\n")
    _, _, status = head.split(b"\r\n")[0].decode("latin-1").partition(" ")
    if not status.startswith("2"):
        raise Failed(f"{url}: HTTP {status or 'broke off'}")
    return body
