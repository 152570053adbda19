"""Every error that a user can meet: a code, a sentence, a place and a hint.

    FftError                     exit code 2 where nothing says otherwise
    ├── UsageError        C      the command line
    ├── SettingsError     P      project.yml, profiles.yml, .env and the other YAML files
    ├── ModelError        M      the text of a model, and what it says of itself
    ├── GraphError        G      what models say of each other
    ├── SelectionError    S      --select and --exclude
    ├── DataError         D      seeds, keys and cursors; exit code 1
    └── EngineError       E      the warehouse; exit code 1

The letters follow the order of a run. A class's docstring is its entry in `docs/reference/errors.md`.
"""

from __future__ import annotations

from fastflowtransform.errors.base import FftError as FftError
from fastflowtransform.errors.base import counted as counted
from fastflowtransform.errors.base import error_classes as error_classes
from fastflowtransform.errors.base import hint_from as hint_from
from fastflowtransform.errors.base import nearest as nearest
from fastflowtransform.errors.base import raise_all as raise_all
from fastflowtransform.errors.data import BadSeed as BadSeed
from fastflowtransform.errors.data import CheckFailed as CheckFailed
from fastflowtransform.errors.data import DataError as DataError
from fastflowtransform.errors.data import DuplicateKey as DuplicateKey
from fastflowtransform.errors.data import NotPublished as NotPublished
from fastflowtransform.errors.data import NullCursor as NullCursor
from fastflowtransform.errors.data import NullKey as NullKey
from fastflowtransform.errors.data import SourceStale as SourceStale
from fastflowtransform.errors.data import UnitTestFailed as UnitTestFailed
from fastflowtransform.errors.engine import BadName as BadName
from fastflowtransform.errors.engine import ConnectionFailed as ConnectionFailed
from fastflowtransform.errors.engine import ConnectionLost as ConnectionLost
from fastflowtransform.errors.engine import DatabaseCorrupt as DatabaseCorrupt
from fastflowtransform.errors.engine import DatabaseLocked as DatabaseLocked
from fastflowtransform.errors.engine import DependentsInTheWay as DependentsInTheWay
from fastflowtransform.errors.engine import EngineError as EngineError
from fastflowtransform.errors.engine import FilledColumns as FilledColumns
from fastflowtransform.errors.engine import NameTooLong as NameTooLong
from fastflowtransform.errors.engine import OutcomeUnknown as OutcomeUnknown
from fastflowtransform.errors.engine import OutOfSpace as OutOfSpace
from fastflowtransform.errors.engine import OutOfTime as OutOfTime
from fastflowtransform.errors.engine import ReferencedKeyUnclear as ReferencedKeyUnclear
from fastflowtransform.errors.engine import RelationBusy as RelationBusy
from fastflowtransform.errors.engine import RelationMissing as RelationMissing
from fastflowtransform.errors.engine import RowsReferenced as RowsReferenced
from fastflowtransform.errors.engine import ServerStarting as ServerStarting
from fastflowtransform.errors.engine import TimedOut as TimedOut
from fastflowtransform.errors.engine import WriteConflict as WriteConflict
from fastflowtransform.errors.ownership import ForeignRelation as ForeignRelation
from fastflowtransform.errors.ownership import ModelIsSource as ModelIsSource
from fastflowtransform.errors.ownership import RowsWouldGo as RowsWouldGo
from fastflowtransform.errors.project import AmbiguousColumns as AmbiguousColumns
from fastflowtransform.errors.project import BadCursor as BadCursor
from fastflowtransform.errors.project import BadPath as BadPath
from fastflowtransform.errors.project import BadPythonModel as BadPythonModel
from fastflowtransform.errors.project import BadSelector as BadSelector
from fastflowtransform.errors.project import BadSql as BadSql
from fastflowtransform.errors.project import BadValue as BadValue
from fastflowtransform.errors.project import CannotEdit as CannotEdit
from fastflowtransform.errors.project import ConflictingSettings as ConflictingSettings
from fastflowtransform.errors.project import ContractBroken as ContractBroken
from fastflowtransform.errors.project import Cycle as Cycle
from fastflowtransform.errors.project import DeltaColumnsDiffer as DeltaColumnsDiffer
from fastflowtransform.errors.project import DuplicateName as DuplicateName
from fastflowtransform.errors.project import EnvSyntax as EnvSyntax
from fastflowtransform.errors.project import GraphError as GraphError
from fastflowtransform.errors.project import Interrupted as Interrupted
from fastflowtransform.errors.project import JinjaError as JinjaError
from fastflowtransform.errors.project import MissingColumn as MissingColumn
from fastflowtransform.errors.project import MissingDeltaFile as MissingDeltaFile
from fastflowtransform.errors.project import MissingKey as MissingKey
from fastflowtransform.errors.project import MissingVariable as MissingVariable
from fastflowtransform.errors.project import ModelError as ModelError
from fastflowtransform.errors.project import NoState as NoState
from fastflowtransform.errors.project import NotATable as NotATable
from fastflowtransform.errors.project import NothingSelected as NothingSelected
from fastflowtransform.errors.project import PackageMissing as PackageMissing
from fastflowtransform.errors.project import ProjectNotFound as ProjectNotFound
from fastflowtransform.errors.project import PythonModelFailed as PythonModelFailed
from fastflowtransform.errors.project import ReservedColumn as ReservedColumn
from fastflowtransform.errors.project import SchemaChanged as SchemaChanged
from fastflowtransform.errors.project import SelectionError as SelectionError
from fastflowtransform.errors.project import SettingsError as SettingsError
from fastflowtransform.errors.project import SwallowedSql as SwallowedSql
from fastflowtransform.errors.project import SystemRefused as SystemRefused
from fastflowtransform.errors.project import Unexpected as Unexpected
from fastflowtransform.errors.project import UnknownEngine as UnknownEngine
from fastflowtransform.errors.project import UnknownInputColumn as UnknownInputColumn
from fastflowtransform.errors.project import UnknownKey as UnknownKey
from fastflowtransform.errors.project import UnknownProfile as UnknownProfile
from fastflowtransform.errors.project import UnknownRef as UnknownRef
from fastflowtransform.errors.project import UnknownSource as UnknownSource
from fastflowtransform.errors.project import UnreadableFile as UnreadableFile
from fastflowtransform.errors.project import UnwritableFolder as UnwritableFolder
from fastflowtransform.errors.project import UsageError as UsageError
from fastflowtransform.errors.project import WrongResult as WrongResult
from fastflowtransform.errors.project import YamlSyntax as YamlSyntax
from fastflowtransform.errors.translation import ColumnsUnknown as ColumnsUnknown
from fastflowtransform.errors.translation import NoTranslation as NoTranslation
from fastflowtransform.errors.translation import RefusedByDialect as RefusedByDialect
from fastflowtransform.location import Location as Location
