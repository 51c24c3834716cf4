"""Graders: how good one answer is, as a number.

Five kinds, as the OpenAI API describes them: a comparison of strings, how alike two texts are,
a function in Python, a model that is asked for a score, and a formula over several of these.
"""
