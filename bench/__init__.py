"""Side by side with peers on the same rows, in the same run. `make bench` runs `bench.run`."""
