"""Offers in, answers out (RFC 3264, RFC 8829): pure functions on text."""
