"""Secrets in the section `secrets` of an INI file: anyone who may read the file may read them."""

from __future__ import annotations

import configparser
import os
import tempfile
from typing import Any

from weir.dffml.base import config
from weir.dffml.secret.base import BaseSecret, BaseSecretContext
from weir.dffml.util.entrypoint import entrypoint

SECTION = "secrets"


@config
class INISecretConfig:
    filename: str
    readwrite: bool = True
    allowempty: bool = False


class INISecretContext(BaseSecretContext):
    async def get(self, name: str) -> str | None:
        found: str | None = self.parent.values.get(name.lower())
        return found

    async def set(self, name: str, value: Any) -> None:
        self.parent.values[name.lower()] = str(value)
        self.parent.changed = True


@entrypoint("ini")
class INISecret(BaseSecret):
    """Read when it is entered, and written when it is left, if something was set. Several may have entered it."""

    CONTEXT = INISecretContext
    CONFIG: Any = INISecretConfig

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        super().__init__(config)
        self.values: dict[str, str] = {}
        self.changed = False
        self.entered = 0

    async def __aenter__(self) -> INISecret:
        if not self.entered:
            self.read()
        self.entered += 1
        return self

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        self.entered -= 1
        if self.changed and self.config.readwrite:
            self.write()

    def parser(self) -> configparser.ConfigParser:
        return configparser.ConfigParser(interpolation=None)

    def read(self) -> None:
        parser = self.parser()
        if not parser.read(self.config.filename) and not self.config.allowempty:
            raise FileNotFoundError(self.config.filename)
        self.values = dict(parser[SECTION]) if parser.has_section(SECTION) else {}

    def write(self) -> None:
        """Whole or not at all; the file's other sections stay."""
        parser = self.parser()
        parser.read(self.config.filename)
        parser[SECTION] = self.values
        folder = os.path.dirname(os.path.abspath(self.config.filename))
        handle, path = tempfile.mkstemp(dir=folder)  # which nobody else may read
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                parser.write(file)
            os.replace(path, self.config.filename)
        except BaseException:
            os.unlink(path)
            raise
        self.changed = False


__all__ = ["INISecret", "INISecretConfig", "INISecretContext"]
