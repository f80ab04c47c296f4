"""What can go wrong, as exceptions."""


class Error(Exception):
    """What weir found wrong; `code` is a word for programs, as in JSON: "not_found"."""

    def __init__(self, message: str, code: str = "invalid") -> None:
        super().__init__(message)
        self.code = code
