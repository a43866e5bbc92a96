"""What Neuroglancer runs for each pixel and annotation: GLSL. Controls are named as in the CryoET Data Portal.

Functions and directives: https://neuroglancer-docs.web.app/ (image and annotation layers, rendering).
"""

TOMOGRAM = """\
#uicontrol invlerp contrast
#uicontrol bool invert_contrast checkbox
#uicontrol invlerp contrast_3D(clamp=false)
#uicontrol bool invert_contrast_3D checkbox
#uicontrol bool hide_values_outside_limits_3D checkbox

float turned(float level, bool is_inverted) {
  return is_inverted ? 1.0 - level : level;
}

void main() {
  if (!VOLUME_RENDERING) {
    emitGrayscale(turned(contrast(), invert_contrast));
    return;
  }
  float level = turned(contrast_3D(), invert_contrast_3D);
  bool is_hidden = hide_values_outside_limits_3D && level > 1.0;
  level = is_hidden ? 0.0 : clamp(level, 0.0, 1.0);
  emitIntensity(level);
  emitGrayscale(level);
}
"""

_POINT_CONTROLS = """\
#uicontrol float pointScale slider(min=0.01, max=2.0, step=0.01)
#uicontrol float opacity slider(min=0.0, max=1.0, step=0.01)
"""

_POINTS = (
    _POINT_CONTROLS
    + """
void main() {
  if (opacity <= 0.0) {
    discard;
  }
  setPointMarkerSize(prop_diameter() * pointScale);
  setPointMarkerBorderWidth(0.1);
  setPointMarkerBorderColor(vec4(vec3(0.0), opacity));
  setColor(vec4(%s, opacity));
}
"""
)

POINTS = _POINTS % "defaultColor()"
"""Points in the colour of their layer, as large as the objects."""
INSTANCE_POINTS = _POINTS % "prop_color()"
"""Points in the colour of their instance."""
ORIENTED_POINTS = (
    _POINT_CONTROLS
    + """\
#uicontrol float lineWidth slider(min=0.01, max=4.0, step=0.01)

void main() {
  if (opacity <= 0.0) {
    discard;
  }
  float size = prop_diameter() * pointScale;
  setEndpointMarkerSize(size, 0.5 * size);
  setEndpointMarkerColor(vec4(defaultColor(), opacity));
  setEndpointMarkerBorderWidth(0.1);
  setEndpointMarkerBorderColor(vec4(vec3(0.0), opacity));
  setLineWidth(lineWidth);
  setLineColor(vec4(prop_line_color(), opacity));
}
"""
)
"""Three lines for each point, along the particle's axes: x red, y green, z blue."""
