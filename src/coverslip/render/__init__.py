"""Arrays -> arrays -> bytes: how pixels become a picture. Pure; knows no file, no format and no catalog."""

from coverslip.render.colors import channel_colors
from coverslip.render.contrast import percentile_limits
from coverslip.render.draw import draw
from coverslip.render.encode import ENDINGS, MEDIA_TYPES, encode
from coverslip.render.planes import projection
from coverslip.render.project import max_projection
from coverslip.render.views import default_slice

__all__ = [
    "ENDINGS",
    "MEDIA_TYPES",
    "channel_colors",
    "default_slice",
    "draw",
    "encode",
    "max_projection",
    "percentile_limits",
    "projection",
]
