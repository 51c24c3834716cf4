"""What the user asked for: the one description, its reader and its defaults."""
