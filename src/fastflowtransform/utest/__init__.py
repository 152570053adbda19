"""Unit tests of models: rows in, the model's own run on an engine of no importance, rows out, compared cell by cell.

`read` makes cases of files, `given` puts their rows in the place of a model's inputs, `run` runs the models' real
materializations over them, and `compare` says what is different.
"""
