"""A PostgreSQL server for tests, with as many databases as they want."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

HELPER = pathlib.Path(__file__).resolve().parents[1] / "postgresql"


class Server:
    def __init__(self):
        # Its path is that of a socket, so it must be short; its user must reach it. In memory, where there is room: it syncs
        # a thousand files when it starts.
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
        self.folder, self.count = tempfile.mkdtemp(prefix="weir-pg-", dir=place), 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.control("start", str(self.port))

    def close(self):
        self.control("stop", "immediate")
        shutil.rmtree(self.folder)

    def control(self, command, *more):
        subprocess.run([HELPER, command, self.folder, *more], check=True, timeout=60)

    def sql(self, text, database="postgres"):
        asked = subprocess.run(
            ["psql", "-h", self.folder, "-p", str(self.port), "-U", "weir", "-d", database, "-XAtqc", text],
            check=True, capture_output=True, text=True, timeout=30,
        )
        return asked.stdout.strip()

    def database(self):
        self.count += 1
        self.sql(f"CREATE DATABASE d{self.count}")
        return f"d{self.count}"

    def url(self, database, more=""):
        return f"postgresql://weir@/{database}?host={self.folder}&port={self.port}{more}"
