"""Tests of the Python package against ONNX Runtime, the command line and the documentation."""
