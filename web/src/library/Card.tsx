import { memo } from "react";

import type { ImageStack } from "../api.ts";
import { dimensions, formatLabel, pixelSize, titles } from "../format.ts";
import { ChannelChips } from "../parts/ChannelChips.tsx";
import { imageRoute, Link } from "../router.tsx";
import { Tile } from "./Tile.tsx";

/** One image of the library: the whole card is one link. */
export const Card = memo(function Card({ image }: { image: ImageStack }) {
  const { metadata } = image;
  const { title, subtitle } = titles(image);
  return (
    <Link to={imageRoute(image.id)} className="card" data-image={image.id}>
      <Tile image={image} />
      {metadata.missing_since && (
        <span className="badge badge-missing" title="The file is no longer where it was. Nothing has been removed.">
          missing
        </span>
      )}
      <span className="card-title" title={title}>
        {title}
      </span>
      {subtitle && (
        <span className="card-file" title={subtitle}>
          {subtitle}
        </span>
      )}
      <span className="card-facts">{dimensions(image)}</span>
      <span className="card-facts card-row">
        <span className={image.pixel_size_x === null ? "quiet" : undefined}>{pixelSize(image)}</span>
        <span className="badge">{formatLabel(metadata.file_format, metadata.format_variant)}</span>
      </span>
      {metadata.samples === 1 && <ChannelChips channels={metadata.channels} />}
    </Link>
  );
});
