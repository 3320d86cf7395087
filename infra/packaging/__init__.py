"""The function's zip: the gateway, its dependencies for Lambda's machine, and the script that starts it.

`python -m infra.packaging` makes it and prints where it is.
"""

from infra.packaging.function import FunctionPackage, build_function_zip
from infra.packaging.problem import PackagingError

__all__ = ["FunctionPackage", "PackagingError", "build_function_zip"]
