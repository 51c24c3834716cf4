"""The frameworks and services that train. Each is imported only when a run starts."""
