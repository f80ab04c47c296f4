"""An IRC server on loopback, by the library `irc`, and clients that talk to whoever is there."""

import select
import socket
import threading

import irc.server


class Handler(irc.server.IRCClient):
    """One that waits for something to do, wants a password, and can be cut off."""

    def handle_pass(self, params):
        self.server.passwords.append(params)

    def handle_join(self, params):
        super().handle_join(params)
        self.server.joined.append((self.nick, params))

    def _handle_one(self):
        if self.server.wanted and self.nick == self.server.bot and self.server.wanted not in self.server.passwords:
            self._send(f":{self.server.servername} 464 {self.nick} :Password incorrect")
            raise self.Disconnect
        readable, _, _ = select.select([self.request], [], [], 0.005)
        while self.send_queue:
            self._send(self.send_queue.pop(0))
        if readable:
            self._handle_incoming()

    def finish(self):
        self.nick = self.nick if self.server.clients.get(self.nick) is self else None
        super().finish()


class ChatServer(irc.server.IRCServer):
    request_queue_size = 64

    def __init__(self, bot="weir", wanted=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.bot, self.wanted = bot, wanted
        self.passwords, self.joined, self.open = [], [], True
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that is gone

    def has_bot(self, channel="#weir"):
        there = self.channels.get(channel)
        return bool(there) and self.clients.get(self.bot) in there.clients

    def drop(self, nick):
        """Cuts the connection of one off."""
        client = self.clients[nick]
        client.request.shutdown(socket.SHUT_RDWR)


class Client:
    """Somebody who talks: `heard` are the texts that the bot said to him."""

    def __init__(self, server, nick, channel=None):
        self.socket = socket.create_connection(("127.0.0.1", server.port), 10)
        self.nick, self.heard, self.rest, self.bot = nick, [], b"", server.bot
        self.joined = False
        self.write(f"NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n" + (f"JOIN {channel}\r\n" if channel else ""))
        while channel and not self.joined:
            self.listen(10)

    def write(self, text):
        self.socket.sendall(text.encode())

    def say(self, where, *texts):
        self.write("".join(f"PRIVMSG {where} :{text}\r\n" for text in texts))

    def listen(self, seconds):
        """What comes next, within that time. False: nothing."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return False
        *lines, self.rest = (self.rest + self.socket.recv(1 << 16)).split(b"\r\n")
        for line in lines:
            who, _, said = line.decode().partition(" ")
            self.joined |= " 366 " in f" {said}"
            if who.startswith(f":{self.bot}!") and said.startswith("PRIVMSG "):
                self.heard.append(said.partition(" :")[2])
        return True

    def hear(self, count, seconds=30):
        """Waits until it heard so many, and a moment for more."""
        while len(self.heard) < count and self.listen(seconds):
            pass
        while self.listen(0.1):
            pass
        return self.heard
