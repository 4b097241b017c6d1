"""Who may do what: passwords, account tokens, stream keys and playback tokens."""
