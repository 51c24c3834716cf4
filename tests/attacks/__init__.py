"""Every route of the server, and what an attacker may send to it."""
