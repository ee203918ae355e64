from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

class SelfsameError(Exception): ...
class ArtefactError(SelfsameError, ValueError): ...
class EngineError(SelfsameError, ValueError): ...
class InputError(SelfsameError, ValueError): ...
class OnnxError(SelfsameError, ValueError): ...
class ReceiptError(SelfsameError, ValueError): ...

# An array, or an array for each input by its name.
Samples = ArrayLike | Mapping[str, ArrayLike]

class Figures(TypedDict):
    samples: int
    top1_agreement: float
    cosine_mean: float
    cosine_min: float
    snr_db: float
    max_abs_error: float
    float_accuracy: float | None
    exact_accuracy: float | None

class Layer(TypedDict):
    node: int
    name: str
    op: str
    snr_db: float

class Extent(TypedDict):
    input: str
    axis: int
    name: str | None
    extent: int

class Report(Figures):
    test_from: int
    calibration_rows: int
    node_count: int
    tensor_bytes: int
    macs: int
    layers: list[Layer]
    extents: list[Extent]

class Roots(TypedDict):
    input: str
    output: str
    trace: str

class Verified(TypedDict):
    equal: bool
    difference: tuple[int, int] | None
    trace_root: str
    output_root: str

class Checked(TypedDict):
    verified: bool
    failed: str | None
    level: str | None
    checks: list[tuple[str, bool, str]]

class Port:
    @property
    def shape(self) -> list[int]: ...
    @property
    def program_shape(self) -> list[int]: ...
    @property
    def dtype(self) -> str: ...

class Model:
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> list[str]: ...
    @property
    def input(self) -> Port: ...
    @property
    def inputs(self) -> list[tuple[str, int]]: ...
    @property
    def output(self) -> Port: ...
    @property
    def dimensions(self) -> list[tuple[int, int]]: ...
    @property
    def sizes(self) -> list[int]: ...
    @property
    def macs(self) -> int: ...
    @property
    def kernel(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def report(self) -> Report | None: ...
    def run(self, input: Samples, /) -> NDArray[np.float32]: ...
    def __call__(self, input: Samples, /) -> NDArray[np.float32]: ...
    def run_integers(self, input: NDArray[Any], /) -> NDArray[Any]: ...
    def trace_root(self, input: Samples, /) -> str: ...
    def roots(self, input: Samples, /) -> Roots: ...
    def verify(self, input: Samples, /, *, kernel: str = "interpreter") -> Verified: ...
    def compare(
        self,
        onnx: str | PathLike[str] | bytes | None,
        rows: Samples | str | PathLike[str],
        *,
        labels: ArrayLike | None = None,
        divisor: float = 255.0,
        mean: Sequence[float] = (),
        deviation: Sequence[float] = (),
        dims: Mapping[str, int] | None = None,
        output: str | None = None,
        no_batch: bool = False,
        shapes: Mapping[str, Sequence[int]] | None = None,
        constants: Mapping[str, int] | None = None,
    ) -> Figures: ...
    def to_bytes(self) -> bytes: ...
    def save(self, path: str | PathLike[str]) -> None: ...
    def at(self, *values: int) -> Model: ...
    def with_options(self, *, threads: int | None = None, kernel: str | None = None) -> Model: ...

def load(
    source: str | PathLike[str] | bytes, *, threads: int = 1, kernel: str = "auto"
) -> Model: ...
def import_onnx(
    onnx: str | PathLike[str] | bytes,
    calibration: Samples | str | PathLike[str],
    *,
    labels: ArrayLike | None = None,
    name: str | None = None,
    class_names: Sequence[str] = (),
    test_from: int | None = None,
    calibration_rows: int = 256,
    divisor: float = 255.0,
    mean: Sequence[float] = (),
    deviation: Sequence[float] = (),
    dims: Mapping[str, int] | None = None,
    open: Mapping[str, tuple[int, int]] | None = None,
    output: str | None = None,
    no_batch: bool = False,
    shapes: Mapping[str, Sequence[int]] | None = None,
    constants: Mapping[str, int] | None = None,
    threads: int = 1,
    kernel: str = "auto",
) -> Model: ...
def compare(
    model: Model,
    onnx: str | PathLike[str] | bytes | None,
    rows: Samples | str | PathLike[str],
    *,
    labels: ArrayLike | None = None,
    divisor: float = 255.0,
    mean: Sequence[float] = (),
    deviation: Sequence[float] = (),
    dims: Mapping[str, int] | None = None,
    output: str | None = None,
    no_batch: bool = False,
    shapes: Mapping[str, Sequence[int]] | None = None,
    constants: Mapping[str, int] | None = None,
) -> Figures: ...
def check_receipt(
    text: str, model: Model | None = None, input: bytes | None = None
) -> Checked: ...
def kernels() -> list[str]: ...
