"""DFFML's dataflows over weir's engine: `from weir.dffml import …` instead of `from dffml import …`.

Modules have DFFML's paths as well: `weir.dffml.df.types`, `weir.dffml.df.base`, `weir.dffml.df.memory`, `weir.dffml.operation.output`.
"""

from weir.dffml.base import *  # noqa: F403
from weir.dffml.df.base import *  # noqa: F403
from weir.dffml.df.exceptions import *  # noqa: F403
from weir.dffml.df.memory import *  # noqa: F403
from weir.dffml.df.types import *  # noqa: F403
from weir.dffml.high_level import run as run
from weir.dffml.operation.dataflow import *  # noqa: F403
from weir.dffml.operation.io import *  # noqa: F403
from weir.dffml.operation.mapping import *  # noqa: F403
from weir.dffml.operation.math import *  # noqa: F403
from weir.dffml.operation.output import *  # noqa: F403
from weir.dffml.operation.preprocess import *  # noqa: F403
from weir.dffml.record import Record as Record
from weir.dffml.secret.base import *  # noqa: F403
from weir.dffml.secret.ini import *  # noqa: F403
from weir.dffml.util.asynchelper import AsyncContextManagerList as AsyncContextManagerList
from weir.dffml.util.asynchelper import AsyncContextManagerListContext as AsyncContextManagerListContext
from weir.dffml.util.asynchelper import aenter_stack as aenter_stack
from weir.dffml.util.asynchelper import concurrently as concurrently
from weir.dffml.util.asynchelper import context_stacker as context_stacker
from weir.dffml.util.asynctestcase import AsyncExitStackTestCase as AsyncExitStackTestCase
from weir.dffml.util.asynctestcase import AsyncTestCase as AsyncTestCase
from weir.dffml.util.data import *  # noqa: F403
from weir.dffml.util.entrypoint import Entrypoint as Entrypoint
from weir.dffml.util.entrypoint import EntrypointNotFound as EntrypointNotFound
from weir.dffml.util.entrypoint import MissingLabel as MissingLabel
from weir.dffml.util.entrypoint import base_entry_point as base_entry_point
from weir.dffml.util.entrypoint import entrypoint as entrypoint
from weir.dffml.util.os import chdir as chdir
from weir.dffml.util.os import prepend_to_path as prepend_to_path
