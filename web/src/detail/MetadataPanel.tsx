import type { ReactNode } from "react";

import type { ImageStack, Summary } from "../api.ts";
import { bytes, dimensions, fieldOfView, formatLabel, length, moment, seconds, voxelSize } from "../format.ts";
import { AnnotationsSection } from "./AnnotationsSection.tsx";
import { ChannelTable } from "./ChannelTable.tsx";
import { VendorSection } from "./VendorSection.tsx";

type Fact = readonly [name: string, value: ReactNode];

/** Everything the catalog knows about an image. What a file does not state is not listed, or said to be unknown. */
export function MetadataPanel({ image }: { image: ImageStack }) {
  const { metadata } = image;
  return (
    <>
      {metadata.missing_since && (
        <p className="notice">The file has been missing since {moment(metadata.missing_since)}. Nothing was removed.</p>
      )}
      {metadata.note && <p className="notice notice-calm">{metadata.note}</p>}
      <Section title="Image" facts={imageFacts(image)} />
      <ChannelTable channels={metadata.samples === 1 ? metadata.channels : []} />
      <AnnotationsSection key={image.id} id={image.id} />
      <Section title="Objective" facts={objectiveFacts(metadata)} />
      <Section title="Microscope" facts={microscopeFacts(metadata)} />
      <Section title="File" facts={fileFacts(image)} />
      <VendorSection id={image.id} revision={metadata.revision} />
    </>
  );
}

function Section({ title, facts }: { title: string; facts: readonly Fact[] }) {
  const known = facts.filter(([, value]) => value !== null && value !== "");
  if (known.length === 0) return null;
  return (
    <section className="section">
      <h2>{title}</h2>
      <dl>
        {known.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function imageFacts(image: ImageStack): Fact[] {
  const { metadata } = image;
  const known = image.pixel_size_x !== null || image.pixel_size_y !== null;
  return [
    ["Size", dimensions(image)],
    [image.depth > 1 ? "Voxel size" : "Pixel size", known ? voxelSize(image) : <span className="quiet">unknown</span>],
    ["Field of view", fieldOfView(image)],
    ["Time interval", metadata.time_increment_s === null ? null : seconds(metadata.time_increment_s)],
    ["Pixels", `${image.bit_depth} bit (${metadata.dtype})`],
    ["Acquired", metadata.acquired_at === null ? null : moment(metadata.acquired_at)],
  ];
}

function objectiveFacts({ objective }: Summary): Fact[] {
  if (objective === null) return [];
  return [
    ["Name", objective.name],
    ["Magnification", objective.magnification === null ? null : `${objective.magnification}×`],
    ["Numerical aperture", objective.numerical_aperture],
    ["Immersion", objective.immersion],
    ["Working distance", objective.working_distance_um === null ? null : length(objective.working_distance_um)],
    ["Correction", objective.correction],
  ];
}

function microscopeFacts({ microscope }: Summary): Fact[] {
  if (microscope === null) return [];
  return [
    ["Manufacturer", microscope.manufacturer],
    ["Model", microscope.model],
    ["Type", microscope.type],
    ["Serial number", microscope.serial_number],
  ];
}

function fileFacts({ filename, metadata }: ImageStack): Fact[] {
  return [
    ["Name", <span className="breakable">{filename}</span>],
    ["Image in file", metadata.index > 0 ? `${metadata.name} (number ${metadata.index + 1})` : null],
    ["Format", formatLabel(metadata.file_format, metadata.format_variant)],
    ["Size", bytes(metadata.size_bytes)],
    ["Path", <span className="breakable">{metadata.path}</span>],
    ["In the library", `${metadata.origin === "uploaded" ? "uploaded" : "added in place"}, ${moment(metadata.created_at)}`],
  ];
}
