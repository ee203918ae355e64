"""What this package raises; files that cannot be read are Python's own OSError."""


class SelfsameError(Exception):
    """Anything that this package refuses."""


class ArtefactError(SelfsameError, ValueError):
    """Bytes are no artefact: damaged, forged, or another format."""


class EngineError(SelfsameError, ValueError):
    """An instruction set is unknown or missing on this machine, or cannot run the model."""


class InputError(SelfsameError, ValueError):
    """Numbers are no input of the model: shape, type, or a value that is not a number."""


class OnnxError(SelfsameError, ValueError):
    """An ONNX model is damaged or not supported, or does not fit its calibration rows."""


class ReceiptError(SelfsameError, ValueError):
    """A text is no receipt."""
