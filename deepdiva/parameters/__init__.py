"""What a synthesizer lets one set: each parameter declared once, both directions of conversion."""

from deepdiva.parameters.parameter import Choice, Parameter
from deepdiva.parameters.table import ParameterTable

__all__ = ["Choice", "Parameter", "ParameterTable"]
