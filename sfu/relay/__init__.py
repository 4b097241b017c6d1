"""Relays: a Track carried to another process once, whatever the number of consumers behind it."""
