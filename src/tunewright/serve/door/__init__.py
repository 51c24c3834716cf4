"""What every request goes through before its body is read."""
