"""Hold the analytic cost model of DeepSeek-OCR against measurements, in pytest."""

from .case import Case
from .compare import Verdict
from .errors import MeasurementError, NotSupportedError, OptionError, ResultsError, ToleranceError
from .measure.measurement import Call, Measurement, Measurer, Subject
from .metrics import METRICS, Metric, Prediction
from .reference.reference import Reference
from .results import Results
from .row import Device, NotRun, Row

__all__ = [
    "METRICS",
    "Call",
    "Case",
    "Device",
    "Measurement",
    "MeasurementError",
    "Measurer",
    "Metric",
    "NotRun",
    "NotSupportedError",
    "OptionError",
    "Prediction",
    "Reference",
    "Results",
    "ResultsError",
    "Row",
    "Subject",
    "ToleranceError",
    "Verdict",
]
