"""The life of a training: loop, phases, batches, stopping, checkpoints, events. No framework."""
