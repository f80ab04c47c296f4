"""What goes wrong with a dataflow, under DFFML's names."""


class DefinitionNotFoundInDataFlow(Exception):
    """A dataflow has no such definition."""


class OperationAlreadyPresent(Exception):
    """There is an operation of that name already."""


class ContextNotPresent(Exception):
    """There is no such context."""


class DefinitionNotInContext(Exception):
    """A context has no value of the definition."""


class NotOpImp(Exception):
    """That is no implementation of an operation."""


class InputValidationError(Exception):
    """For functions that validate: a value is not as it should be."""


class ValidatorMissing(Exception):
    """A definition names an operation to validate its values by, and there is none."""


class MultipleAncestorsFoundError(NotImplementedError):
    """A value has two ancestors that an input flow's list of ancestors could mean."""
