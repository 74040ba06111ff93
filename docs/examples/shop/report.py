"""Says how many visits there were, and ends."""

from db import ask

print("visits so far:", int(ask("INCRBY", "visits", "0")), flush=True)
