"""Carries a program into HLS: ladder, CMAF parts, playlists, origin, archive."""
