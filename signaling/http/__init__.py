"""The HTTP interface: one table of operations that is router, validation and OpenAPI document at once."""
