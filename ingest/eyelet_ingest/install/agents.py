"""The agents there are."""

from eyelet_ingest.install import claude, codex, copilot, cursor, gemini
from eyelet_ingest.install.agent import Agent

AGENTS: dict[str, Agent] = {module.AGENT.name: module.AGENT for module in (claude, codex, gemini, copilot, cursor)}
