"""`python -m weir.dffml dataflow create …`"""

import sys

from weir.dffml.cli.cli import CLI

sys.exit(CLI.main())
