"""Readiness, liveness and limits of time: whether what runs does its work, judged incarnation by incarnation."""
