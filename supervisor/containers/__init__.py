"""Containers as units: the same machine, policies and tree as for agents, with a container engine behind them."""
