"""The Socket.IO gateway: what happens to a stream, told to those who watch its page."""
