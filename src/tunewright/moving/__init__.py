"""From jobs at a service that trains to recipes that train the like here, on an open model."""
