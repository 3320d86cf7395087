"""The zip of the gateway's function: the gateway, its dependencies for Lambda's machine, and the start script.

`python -m infra.packaging` makes the zip and prints its path.
"""

from infra.packaging.function import FunctionPackage, build_function_zip
from infra.packaging.problem import PackagingError

__all__ = ["FunctionPackage", "PackagingError", "build_function_zip"]
