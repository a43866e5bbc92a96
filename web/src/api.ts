/** The one client of Coverslip's HTTP API. Types mirror its documents; nothing else in the page calls `fetch`. */

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

export interface Channel {
  index: number;
  name: string;
  /** `#rrggbb`, or null where the file states none. */
  color: string | null;
  /** What the server draws it in: the file's colour, or one it chose. */
  /** The colour pictures show it in: the file's own, or one chosen for it. */
  display_color: string;
  excitation_wavelength_nm?: number | null;
  emission_wavelength_nm?: number | null;
  exposure_time_s?: number | null;
  gain?: number | null;
  dye?: string | null;
  contrast_method?: string | null;
}

export interface Objective {
  name: string | null;
  magnification: number | null;
  numerical_aperture: number | null;
  immersion: string | null;
  working_distance_um: number | null;
  correction: string | null;
}

export interface Microscope {
  manufacturer: string | null;
  model: string | null;
  serial_number: string | null;
  type: string | null;
}

export interface Thumbnail {
  state: "fresh" | "stale" | "failed";
  etag: string | null;
  error: string | null;
}

export interface Summary {
  name: string;
  index: number;
  file_format: string;
  format_variant: string | null;
  size_t: number;
  size_c: number;
  size_z: number;
  size_y: number;
  size_x: number;
  /** Interleaved colour samples per pixel: 1, or 3 and 4 for colour pictures. */
  samples: number;
  dtype: string;
  channels: Channel[];
  time_increment_s: number | null;
  acquired_at: string | null;
  objective: Objective | null;
  microscope: Microscope | null;
  note: string | null;
  /** The slice shown when nobody chooses one; null where that is the maximum projection. */
  default_z: number | null;
  size_bytes: number;
  path: string;
  origin: "added" | "uploaded";
  revision: number;
  created_at: string;
  missing_since: string | null;
  thumbnail: Thumbnail;
}

export interface ImageStack {
  id: string;
  filename: string;
  width: number;
  height: number;
  depth: number;
  channels: number;
  bit_depth: number;
  /** Pixel sizes are in micrometres; null where the file states none. */
  pixel_size_x: number | null;
  pixel_size_y: number | null;
  pixel_size_z: number | null;
  metadata: Summary;
}

export interface ImageList {
  images: ImageStack[];
  total: number;
  skip: number;
  limit: number;
}

export interface FullMetadata {
  id: string;
  filename: string;
  source_axes: string;
  levels: { size_z: number; size_y: number; size_x: number }[];
  memory_size_mb: number;
  vendor: { [key: string]: JsonValue };
}

/** A view of an image that somebody kept; `url` opens it in Neuroglancer. */
export interface View {
  id: string;
  name: string;
  is_frozen: boolean;
  url: string;
}

export interface NewView {
  name?: string;
  is_frozen?: boolean;
  state?: { [key: string]: JsonValue };
}

export interface SurroundingAnnotation {
  id: number;
  object_name: string;
  shapes: string[];
  voxel_spacing: string;
  deposition: string;
  /** Since when files of it are known not to be there; null where none is. */
  incomplete_since: string | null;
}

/** What is known around the image of a tomogram; `tomogram` is null for an image of something else. */
export interface Surroundings {
  tomogram: { id: number; name: string; incomplete_since: string | null } | null;
  run: { id: number; name: string } | null;
  voxel_spacing: { id: number; name: string } | null;
  annotations: SurroundingAnnotation[];
}

export interface Uploaded {
  message: string;
  id: string;
  image_stack: ImageStack;
  images: ImageStack[];
}

/** What a picture shows; `z: "max"` is the maximum projection, `z: null` is all there is, `channels: null` all of them. */
export interface PictureChoice {
  t: number;
  z: number | "max" | null;
  channels: number[] | null;
}

/** The server's error document, or what stands in for it when there was no answer. */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** Stable name of the kind of problem, such as `unsupported-format`. */
  readonly type: string;
  readonly errors: readonly string[];
  readonly retryAfterSeconds: number | null;

  constructor(status: number, title: string, detail = "", more: ProblemDetails = {}) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.type = more.type ?? "";
    this.errors = more.errors ?? [];
    this.retryAfterSeconds = more.retryAfterSeconds ?? null;
  }

  static unreachable(): Problem {
    return new Problem(0, "No answer from the server", "Check that Coverslip is running and that you are connected to it.");
  }

  /** A server that refuses a large body may close the connection before the browser comes to read why. */
  static cutOff(): Problem {
    return new Problem(
      0,
      "The connection ended before the file was sent",
      "The file may be larger than this server accepts (COVERSLIP_MAX_UPLOAD_BYTES), or the server stopped. Nothing of it was kept.",
    );
  }

  /** Reads an error answer, which is `application/problem+json` unless something in between answered. */
  static parse(status: number, body: string, retryAfter: string | null = null): Problem {
    const retryAfterSeconds = retryAfter && Number.isFinite(Number(retryAfter)) ? Number(retryAfter) : null;
    const { title, detail, type, errors } = parseObject(body);
    return new Problem(status, text(title) || `The server answered ${status}`, text(detail), {
      type: text(type),
      errors: Array.isArray(errors) ? errors.map((error) => text(error) || JSON.stringify(error)) : [],
      retryAfterSeconds,
    });
  }
}

interface ProblemDetails {
  type?: string;
  errors?: readonly string[];
  retryAfterSeconds?: number | null;
}

const text = (value: JsonValue | undefined): string => (typeof value === "string" ? value : "");

function parseObject(body: string): { [key: string]: JsonValue } {
  try {
    const parsed = JSON.parse(body) as JsonValue;
    return parsed !== null && typeof parsed === "object" && !Array.isArray(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : Problem.unreachable();
}

async function request(path: string, options: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    throw isAbort(error) ? error : Problem.unreachable();
  }
  if (!response.ok) throw Problem.parse(response.status, await response.text(), response.headers.get("Retry-After"));
  return response;
}

export async function json<T>(path: string, options: RequestInit = {}): Promise<T> {
  return (await (await request(path, options)).json()) as T;
}

export const post = <T>(path: string, body: object): Promise<T> =>
  json<T>(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

const imagePath = (id: string): string => `/api/images/${encodeURIComponent(id)}`;

export const EVENTS_URL = "/api/events";
export const UPLOAD_URL = "/api/images/upload";

export const downloadUrl = (id: string): string => `${imagePath(id)}/download`;

/** Leads to Neuroglancer, with everything that is known around the image. */
export const neuroglancerUrl = (id: string): string => `/view/${encodeURIComponent(id)}`;

/** What somebody pasted as a view, read: the viewer's own address, or the state in it. Nothing where it holds no state. */
export function stateIn(pasted: string): { [key: string]: JsonValue } | null {
  const [, fragment] = pasted.split("#!");
  try {
    const state = JSON.parse(fragment === undefined ? pasted : decodeURIComponent(fragment)) as JsonValue;
    return state !== null && typeof state === "object" && !Array.isArray(state) ? state : null;
  } catch {
    return null;
  }
}

/** Address of the ready-made thumbnail; the etag in it makes a new thumbnail a new address. */
export const thumbnailUrl = (image: ImageStack): string =>
  `${imagePath(image.id)}/thumbnail?v=${encodeURIComponent(image.metadata.thumbnail.etag ?? "")}`;

/** Address of a picture drawn on request; the revision in it makes changed content a new address. */
export function pictureUrl(image: ImageStack, choice: PictureChoice, pixels: number): string {
  const query = new URLSearchParams({ width: String(pixels), height: String(pixels), t: String(choice.t) });
  if (choice.z === "max") query.set("projection", "max");
  else if (choice.z !== null) query.set("z_slice", String(choice.z));
  if (choice.channels !== null) query.set("channels", choice.channels.join(","));
  query.set("v", String(image.metadata.revision));
  return `${imagePath(image.id)}/thumbnail?${query}`;
}

export const api = {
  list: (skip: number, limit: number, q: string, signal?: AbortSignal): Promise<ImageList> => {
    const query = new URLSearchParams({ skip: String(skip), limit: String(limit) });
    if (q) query.set("q", q);
    return json<ImageList>(`/api/images/?${query}`, signal ? { signal } : {});
  },
  get: (id: string, signal?: AbortSignal): Promise<ImageStack> => json<ImageStack>(imagePath(id), signal ? { signal } : {}),
  metadata: (id: string, signal?: AbortSignal): Promise<FullMetadata> =>
    json<FullMetadata>(`${imagePath(id)}/metadata`, signal ? { signal } : {}),
  picture: async (url: string, signal: AbortSignal): Promise<Blob> => (await request(url, { signal })).blob(),
  remove: async (id: string): Promise<void> => void (await request(imagePath(id), { method: "DELETE" })),
  keepView: (id: string, view: NewView): Promise<View> => post<View>(`${imagePath(id)}/views`, view),
  surroundings: (id: string, signal?: AbortSignal): Promise<Surroundings> =>
    json<Surroundings>(`${imagePath(id)}/surroundings`, signal ? { signal } : {}),
  restore: (id: string): Promise<ImageStack> => json<ImageStack>(`${imagePath(id)}/restore`, { method: "POST" }),
};

export type Api = typeof api;
