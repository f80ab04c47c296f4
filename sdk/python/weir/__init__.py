"""weir: dataflows, Argo workflows and pipelines, run by one engine in this process."""

from weir._weir import version as _version
from weir.errors import Error

__version__ = _version()
__all__ = ["Error", "__version__"]
