"""Decodes the stage, lays it out, mixes its sound and encodes the program."""
