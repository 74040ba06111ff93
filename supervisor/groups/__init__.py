"""Groups: supervisors whose children are units, decided by the same core that supervises the daemon's own parts."""
