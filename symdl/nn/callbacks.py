"""All callbacks, by the names that Keras has for them: `from symdl.nn import callbacks`."""

from symdl.nn.checkpoints import BackupAndRestore, Checkpoint, ModelCheckpoint
from symdl.nn.history import History
from symdl.nn.logs import CSVLogger, TensorBoard
from symdl.nn.progress import ProgbarLogger
from symdl.nn.rates import LearningRateScheduler, ReduceLROnPlateau
from symdl.nn.stopping import EarlyStopping, Patience, TerminateOnNaN
from symdl.nn.watching import Callback, LambdaCallback, Run

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "Patience",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "Run",
    "TensorBoard",
    "TerminateOnNaN",
]
