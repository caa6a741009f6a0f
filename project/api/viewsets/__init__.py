"""The viewsets that every resource is made of."""

from ..http.parsers import UploadParser
from ..lists.parameters import StrictQueryParameters
from ..lists.streaming import Columns
from .mergers import MergeSerializer
from .nested import ItemViewSet, NestedViewSet
from .resources import ActionViewSet, ResourceViewSet

__all__ = [
    "ActionViewSet",
    "Columns",
    "ItemViewSet",
    "MergeSerializer",
    "NestedViewSet",
    "ResourceViewSet",
    "StrictQueryParameters",
    "UploadParser",
]
