"""Python values as words of bash: the one place where the boot script's quoting is.

Every word is written in bash's `$'…'` form in printable ASCII on one line. cloud-init turns CR LF into LF in scripts
(cloudinit/handlers/shell_script.py, `dos2unix`), and treats them as e-mail parts on the way; neither can touch this.
"""

from __future__ import annotations

from collections.abc import Iterable


def quote(text: str) -> str:
    """One word with the value `text`, byte for byte in UTF-8.

    Raises:
        ValueError: `text` has a NUL character, which no process can be given.
    """
    if "\0" in text:
        raise ValueError("a NUL character cannot be in an argument or a variable of a process: remove it")
    return "$'" + "".join(_escape(byte) for byte in text.encode()) + "'"


def scalar(name: str, value: str | int) -> str:
    """A line that gives `name` its value. It is not readonly: a variable of the container may have that name."""
    return f"{name}={value if isinstance(value, int) else quote(value)}"


def array(name: str, values: Iterable[str]) -> str:
    """A line that makes `name` an array, of any length."""
    return f"{name}=({' '.join(quote(value) for value in values)})"


def _escape(byte: int) -> str:
    if byte in b"\\'":
        return f"\\{byte:c}"
    return f"{byte:c}" if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"
