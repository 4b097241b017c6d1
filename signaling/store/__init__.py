"""What outlives a restart: accounts and streams, behind small interfaces.

``interfaces`` says what a store must do, ``sql_*`` does it on SQLite and PostgreSQL, and one test suite
holds both to it.
"""
