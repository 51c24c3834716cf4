"""What nobody but its owner should read: found in texts, and masked wherever rows are shown."""
