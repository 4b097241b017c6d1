"""Where each host stands in the program's picture: pure geometry, no pixels and no clock."""

from mixer.layout.arrange import arrange, check_layout
from mixer.layout.geometry import Arrangement, Rect, Subject, Tile
from mixer.layout.spec import Host, LayoutError, LayoutSpec, TileSpec, parse_layout
from mixer.layout.transition import TRANSITION_US, Animator, interpolate

__all__ = [
    "TRANSITION_US",
    "Animator",
    "Arrangement",
    "Host",
    "LayoutError",
    "LayoutSpec",
    "Rect",
    "Subject",
    "Tile",
    "TileSpec",
    "arrange",
    "check_layout",
    "interpolate",
    "parse_layout",
]
