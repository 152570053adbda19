"""Errors about tables and views that fft may not replace."""

from __future__ import annotations

from fastflowtransform.errors.project import ModelError


class ForeignRelation(ModelError):
    """A model or seed would replace or change a table or view that this project did not make."""

    code = "M120"


class RowsWouldGo(ModelError):
    """A model is no longer incremental, and replacing its table would drop the rows of earlier runs."""

    code = "M121"


class ModelIsSource(ModelError):
    """A model would be the table that `sources.yml` declares as a source."""

    code = "M122"
