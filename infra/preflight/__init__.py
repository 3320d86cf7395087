"""Preflight: the questions that the program asks AWS and the Hub before it creates anything.

`run_preflight` asks everything about a plan through injected clients and returns a `Finding` for each answer, all
problems together. What is deployed does not depend on an answer: an answer is shown, warns, or refuses.
"""

from infra.preflight.asking import Place, run_preflight
from infra.preflight.clients import Clients, real_clients
from infra.preflight.finding import Finding, refuses, report

__all__ = ["Clients", "Finding", "Place", "real_clients", "refuses", "report", "run_preflight"]
