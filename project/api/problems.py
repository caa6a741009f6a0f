"""What apps refuse a request with: see `http/problems.py`."""

from .http.problems import Fault as Fault
from .http.problems import PayloadTooLarge as PayloadTooLarge
from .http.problems import Refused as Refused
from .http.problems import faults_of as faults_of
from .http.problems import pointer as pointer
from .http.problems import problem_response as problem_response
