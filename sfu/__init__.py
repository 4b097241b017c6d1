"""Moves packets: the engine, and the Python around it that negotiates."""
