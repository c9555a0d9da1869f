"""Frozen plain data: what is asked, what is found, what is decided. Import each record from its own file."""
