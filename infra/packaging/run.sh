#!/bin/sh
# The function's handler. The adapter's wrapper starts it; the adapter then asks for the gateway on AWS_LWA_PORT.
# -S: the zip holds every package that is needed.
# No grace: after SIGTERM, Lambda gives a function with an extension 300 ms.
cd "${LAMBDA_TASK_ROOT:-$(dirname "$0")}" || exit 1
export HOST=127.0.0.1 PORT="${AWS_LWA_PORT:-${PORT:-8080}}" GATEWAY_BEHIND=adapter
export GATEWAY_GRACE="${GATEWAY_GRACE:-0}"
exec python3 -S -m gateway_lambda
