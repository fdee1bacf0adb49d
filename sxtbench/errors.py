"""The two ways in which a command ends other than well."""


class InputError(ValueError):
    """Bad usage or bad input: the message names what, where and what would be right. Exit status 2."""


class CheckError(RuntimeError):
    """A check found something wrong with data that were readable. Exit status 1."""
