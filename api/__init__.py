"""HTTP onto the tree: a route turns a request into one message to one actor, and its reply into JSON."""
