import { useState } from "react";

import { type ImageStack, thumbnailUrl } from "../api.ts";

const TINY = 96;

/** A few large pixels are data: they are shown as squares, not as a blur. */
const isTiny = ({ metadata: { size_x, size_y } }: ImageStack): boolean => Math.max(size_x, size_y) <= TINY;

/** The thumbnail on its dark ground, or what is known about why there is none. */
export function Tile({ image }: { image: ImageStack }) {
  const { state, error } = image.metadata.thumbnail;
  const url = state === "fresh" ? thumbnailUrl(image) : null;
  const [failed, setFailed] = useState<string | null>(null);
  if (url !== null && failed !== url) {
    return (
      <span className="tile">
        <img className={isTiny(image) ? "pixelated" : undefined} src={url} alt="" loading="lazy" decoding="async" draggable={false} onError={() => setFailed(url)} />
      </span>
    );
  }
  if (state === "stale") {
    return (
      <span className="tile shimmer">
        <span className="hidden-text">The thumbnail is being made.</span>
      </span>
    );
  }
  const reason = error ?? "The thumbnail could not be loaded.";
  return (
    <span className="tile tile-empty" title={reason}>
      <span>no thumbnail</span>
      <span className="hidden-text">{reason}</span>
    </span>
  );
}
