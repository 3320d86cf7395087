"""Python values as words of bash. All quoting of the boot script is here.

Every word has bash's `$'…'` form, in printable ASCII on one line. cloud-init turns CR LF into LF in scripts
(cloudinit/handlers/shell_script.py, `dos2unix`) and handles them as e-mail parts; neither changes this form.
"""

from __future__ import annotations

from collections.abc import Iterable


def quote(text: str) -> str:
    """Return one word with the value `text`, byte for byte in UTF-8.

    Raises:
        ValueError: `text` has a NUL character, which no argument or variable can have.
    """
    if "\0" in text:
        raise ValueError("an argument or a variable of a process cannot have a NUL character: remove it")
    return "$'" + "".join(_escape(byte) for byte in text.encode()) + "'"


def scalar(name: str, value: str | int) -> str:
    """Return a line that sets `name`. It is not readonly, because a variable of the container can have that name."""
    return f"{name}={value if isinstance(value, int) else quote(value)}"


def array(name: str, values: Iterable[str]) -> str:
    """Return a line that makes `name` an array of any length."""
    return f"{name}=({' '.join(quote(value) for value in values)})"


def _escape(byte: int) -> str:
    if byte in b"\\'":
        return f"\\{byte:c}"
    return f"{byte:c}" if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"
