"""How Poe speaks. Everything here is pure but `client` and `transport`."""
