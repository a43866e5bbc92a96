/** Records for tests: one plain image, changed where a test cares. */

import type { ImageStack, Summary } from "./api.ts";

type Changes = Partial<Omit<ImageStack, "metadata">> & { metadata?: Partial<Summary> };

export function sampleImage({ metadata, ...changes }: Changes = {}): ImageStack {
  const summary: Summary = {
    name: "cells",
    index: 0,
    file_format: "TIFF",
    format_variant: "OME-TIFF",
    size_t: 1,
    size_c: 1,
    size_z: 1,
    size_y: 512,
    size_x: 640,
    samples: 1,
    dtype: "uint16",
    channels: [{ index: 0, name: "DAPI", color: "#0000ff", display_color: "#0000ff" }],
    time_increment_s: null,
    acquired_at: null,
    objective: null,
    microscope: null,
    note: null,
    default_z: null,
    size_bytes: 1000,
    path: "/data/cells.ome.tif",
    origin: "added",
    revision: 1,
    created_at: "2024-03-05T12:00:00Z",
    missing_since: null,
    thumbnail: { state: "fresh", etag: "abc", error: null },
    ...metadata,
  };
  return {
    id: "one",
    filename: "cells.ome.tif",
    width: summary.size_x,
    height: summary.size_y,
    depth: summary.size_z,
    channels: summary.size_c,
    bit_depth: 16,
    pixel_size_x: 0.065,
    pixel_size_y: 0.065,
    pixel_size_z: null,
    metadata: summary,
    ...changes,
  };
}

export const channels = (...names: string[]) => names.map((name, index) => ({ index, name, color: null, display_color: "#ffffff" }));
