/** Numbers and names as people of the field write them. Pure. */

import type { ImageStack } from "./api.ts";

/** Three digits, but never a rounded whole number. */
export const significant = (value: number): string => String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

/** A length given in micrometres, in the unit that reads best: Å below 2 nm, nm below 10 nm, then µm and mm. */
export function length(micrometers: number): string {
  if (micrometers < 0.002) return `${significant(micrometers * 1e4)} Å`;
  if (micrometers < 0.01) return `${significant(micrometers * 1e3)} nm`;
  if (micrometers < 1000) return `${significant(micrometers)} µm`;
  return `${significant(micrometers / 1000)} mm`;
}

/** Several lengths, the unit once where all have the same: `0.065 × 0.065 × 0.3 µm`; `?` for an unknown one. */
function box(sides: readonly (number | null)[]): string {
  const written = sides.map((side) => (side === null ? "?" : length(side)));
  const units = new Set(written.flatMap((side) => side.split(" ").slice(1)));
  const [unit] = units;
  if (units.size !== 1 || unit === undefined) return written.join(" × ");
  return `${written.map((side) => side.replace(` ${unit}`, "")).join(" × ")} ${unit}`;
}

export function pixelSize(image: ImageStack): string {
  const { pixel_size_x: x, pixel_size_y: y } = image;
  if (x === null && y === null) return "pixel size unknown";
  if (x === null || y === null || length(x) === length(y)) return length(x ?? y ?? 0);
  return box([x, y]);
}

export function voxelSize({ pixel_size_x: x, pixel_size_y: y, pixel_size_z: z, depth }: ImageStack): string {
  return box(depth > 1 || z !== null ? [x, y, z] : [x, y]);
}

/** Width, height and depth of what the image covers; null while no pixel size is known. */
export function fieldOfView(image: ImageStack): string | null {
  const { pixel_size_x: x, pixel_size_y: y, pixel_size_z: z } = image;
  if (x === null || y === null) return null;
  const sides = [x * image.width, y * image.height];
  if (image.depth > 1 && z !== null) sides.push(z * image.depth);
  return box(sides);
}

/** Such as `2048 × 2048 × 24 z · 3 ch · 30 t`; axes of length one go without saying. */
export function dimensions(image: ImageStack): string {
  const { size_t, size_c, samples } = image.metadata;
  const box = [`${image.width} × ${image.height}`, ...(image.depth > 1 ? [`${image.depth} z`] : [])].join(" × ");
  const parts = [box];
  if (samples > 1) parts.push(samples === 4 ? "RGBA" : "RGB");
  if (size_c > 1) parts.push(`${size_c} ch`);
  if (size_t > 1) parts.push(`${size_t} t`);
  return parts.join(" · ");
}

/** One label of family and dialect: `OME-TIFF`, `TIFF · ImageJ`, `OME-Zarr 0.4`. */
export function formatLabel(family: string, variant: string | null): string {
  if (!variant || variant === family) return family;
  if (variant.includes(family)) return variant;
  return /^\d/.test(variant) ? `${family} ${variant}` : `${family} · ${variant}`;
}

// names that software gives when nobody did: Image0, Series 003, Scene #1
const NAMELESS = /^(image|series|scene|untitled|unnamed|default)?[\s_:#-]*\d*$/i;

export interface Titles {
  title: string;
  /** The file the image is in, its number in there, or the folder of the file. */
  subtitle: string | null;
}

/** The folder a file was added from, such as `FOV1/`; null for uploads, whose folder says nothing. */
function folder({ filename, metadata: { origin, path } }: ImageStack): string | null {
  const parent = path.slice(0, -filename.length).split(/[\\/]/).at(-2);
  return origin === "added" && parent ? `${parent}/` : null;
}

/** What an image is called: by its own name and then its file's, the other way round where its own says nothing. */
export function titles(image: ImageStack): Titles {
  const { filename, metadata: { name, index } } = image;
  if (name.trim() === "" || name === filename || filename.startsWith(`${name}.`)) return { title: filename, subtitle: folder(image) };
  if (!NAMELESS.test(name)) return { title: name, subtitle: filename };
  const first = index === 0 && !/[1-9]/.test(name);
  return { title: filename, subtitle: first ? folder(image) : name };
}

export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = count > 0 ? Math.min(Math.floor(Math.log2(count) / 10), units.length - 1) : 0;
  return `${significant(count / 1024 ** step)} ${units[step]}`;
}

export function seconds(value: number): string {
  if (value < 1) return `${significant(value * 1000)} ms`;
  if (value < 120) return `${significant(value)} s`;
  return `${significant(value / 60)} min`;
}

export function moment(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

export const count = (n: number, one: string, many = `${one}s`): string => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** A length beside a scale bar: nanometres where a reader would otherwise see 0.1 µm. */
export const barLength = (micrometers: number): string =>
  micrometers < 1 && micrometers >= 0.002 ? `${significant(micrometers * 1e3)} nm` : length(micrometers);

/** A round length for a scale bar: 1, 2 or 5 times a power of ten, at most `longest` (all in micrometres). */
export function roundLength(longest: number): number {
  const power = 10 ** Math.floor(Math.log10(longest));
  const step = [5, 2, 1].find((factor) => factor * power <= longest) ?? 1;
  return step * power;
}
