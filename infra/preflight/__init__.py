"""Questions asked of AWS and the Hub before anything is created; the answers are data.

`run_preflight` asks everything about a plan through injected clients and gives a `Finding` for each answer, all
problems together. Nothing of what is deployed hangs on an answer: it is shown, or warns, or refuses.
"""

from infra.preflight.asking import Place, run_preflight
from infra.preflight.clients import Clients, real_clients
from infra.preflight.finding import Finding, refuses, report

__all__ = ["Clients", "Finding", "Place", "real_clients", "refuses", "report", "run_preflight"]
