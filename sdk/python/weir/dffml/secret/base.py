"""Where secrets are kept."""

from __future__ import annotations

import abc
from typing import Any

from weir.dffml.df.base import BaseDataFlowObject, BaseDataFlowObjectContext
from weir.dffml.util.entrypoint import base_entry_point


class BaseSecretContext(BaseDataFlowObjectContext):
    def __init__(self, parent: Any) -> None:
        self.parent = parent

    @abc.abstractmethod
    async def get(self, name: str) -> Any:
        """The secret of that name; None: there is none."""

    @abc.abstractmethod
    async def set(self, name: str, value: Any) -> None:
        """Keeps it by that name."""


@base_entry_point("dffml.secret", "secret")
class BaseSecret(BaseDataFlowObject):
    def __call__(self) -> Any:
        return type(self).CONTEXT(self)  # type: ignore[misc]


__all__ = ["BaseSecret", "BaseSecretContext"]
