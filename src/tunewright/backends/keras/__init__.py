"""TensorFlow through Keras 3 and KerasHub. The names are those of the torch backend where the idea is
the same. Keras is imported by `framework.start` alone, which also says on what it runs.
"""
