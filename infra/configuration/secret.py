"""A value that is never shown: a password, a token, or anything that a user marked as secret."""

from __future__ import annotations

from typing import Any, ClassVar, final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


@final
class Secret:
    """A text whose `repr` and `str` are `***`. Only `reveal()` returns the text."""

    __slots__: ClassVar[tuple[str, ...]] = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept a text or a Secret, and write it as `***`. As in dstack, a number becomes text."""

        def read(value: object, read_text: core_schema.ValidatorFunctionWrapHandler) -> Secret:
            return value if isinstance(value, Secret) else cls(read_text(value))

        return core_schema.no_info_wrap_validator_function(
            read,
            core_schema.str_schema(coerce_numbers_to_str=True),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string"}
