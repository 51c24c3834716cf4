"""What the data check looks for: a file for each kind of trouble."""
