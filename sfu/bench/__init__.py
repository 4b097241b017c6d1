"""Benchmarks of the engine; ``spillway bench NAME`` calls ``run`` of the module NAME."""
