"""What can go wrong when the zip is made."""


class PackagingError(Exception):
    """The message says what was found, the rule, and the remedy."""
