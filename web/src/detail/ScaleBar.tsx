import type { ImageStack } from "../api.ts";
import { barLength, roundLength } from "../format.ts";

const SHARE = 0.22;
const SMALLEST_PICTURE = 160;

/** A round length at the picture's own scale; nothing where the file states no pixel size. */
export function ScaleBar({ image, width }: { image: ImageStack; width: number }) {
  if (image.pixel_size_x === null || width < SMALLEST_PICTURE) return null;
  const micrometersPerPixel = (image.pixel_size_x * image.width) / width;
  const bar = roundLength(micrometersPerPixel * width * SHARE);
  return (
    <span className="scale-bar">
      <span className="scale-bar-label">{barLength(bar)}</span>
      <span className="scale-bar-line" style={{ width: bar / micrometersPerPixel }} />
    </span>
  );
}
