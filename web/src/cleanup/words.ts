/** Plans and what becomes of them, in words. Pure. */

import type { Problem } from "../api.ts";
import { bytes, count } from "../format.ts";
import type { Applied, BrakeStop, Group, Kept, NewPlan, PlanHead, Removal, RowTotals, Scope } from "./documents.ts";

/** Types of rows, each in the singular and the plural; `record` is all that lie in a layout. */
const NOUNS: { readonly [type: string]: readonly [one: string, many: string] } = {
  record: ["record", "records"],
  annotation: ["annotation", "annotations"],
  tomogram: ["tomogram", "tomograms"],
  alignment: ["alignment", "alignments"],
  tiltseries: ["tilt series", "tilt series"],
  frame: ["record of frames", "records of frames"],
  gain: ["gain", "gains"],
  identified_object: ["record of identified objects", "records of identified objects"],
};

/** The types that a plan can be about, in the order in which they are offered. */
export const PLANNED = ["annotation", "tomogram", "alignment", "tiltseries", "frame", "gain", "identified_object", "record", "image"] as const;

/** Such as `annotations`. */
export const plural = (type: string): string => nouns(type)[1];

const nouns = (type: string): readonly [string, string] => NOUNS[type] ?? [spaced(type), `${spaced(type)}s`];

const spaced = (type: string): string => type.replaceAll("_", " ");

/** Such as `1,204 annotations`. */
export const records = (n: number, type: string): string => count(n, ...nouns(type));

/** Such as `annotation 21`. */
export const called = (type: string, id: number | string): string => `${type === "tiltseries" ? "tilt series" : spaced(type)} ${id}`;

/** The same of a row: images go by their identifiers. */
export const calledRow = ({ type, id, image_id }: Pick<Kept, "type" | "id" | "image_id">): string => called(type, image_id || id);

/** What depends on a row: how much of what, and some of it by name. */
export function dependentWords({ dependents, depending = [], more_depending: more = 0 }: Removal): string[] {
  const named = depending.map(({ kind, id, name }) => `${called(kind, id)}${name ? ` (${name})` : ""}`);
  return [...dependents, ...named, ...(more > 0 ? [`and ${more.toLocaleString("en")} more`] : [])];
}

/** Such as `annotations of run 5`; numbers are public numbers. */
export function scopeWords(scope: Scope): string {
  const many = plural(scope.type);
  const places = [
    ["dataset", scope.dataset_id],
    ["run", scope.run_id],
    ["voxel spacing", scope.voxel_spacing_id],
  ] as const;
  const parts = places.filter(([, id]) => id !== null).map(([name, id]) => `${name} ${id}`);
  if (scope.entity_ids.length > 0) parts.push(count(scope.entity_ids.length, "chosen record"));
  if (scope.layout) parts.push(scope.layout);
  return parts.length > 0 ? `${many} of ${parts.join(", ")}` : `all ${many}`;
}

/** Where rows lie: `dataset 20001 (3), run TS_1 (5), voxel spacing 13.480 Å (14)`, public numbers in brackets. */
export function groupWords(group: Group): string {
  const places = [
    ["dataset", group.dataset, group.dataset_id],
    ["run", group.run, group.run_id],
    ["voxel spacing", group.spacing && `${group.spacing} Å`, group.number],
  ] as const;
  const parts = places.filter(([, name]) => name !== "").map(([what, name, id]) => `${what} ${name}${id > 0 ? ` (${id})` : ""}`);
  return parts.join(", ") || group.layout;
}

const STOPPED: { [reason in BrakeStop["reason"]]: string } = {
  empty: "the listing shows nothing of it",
  failed: "it could not be listed to the end",
  many: "more than 20% would go",
};

/** Why the brake holds somewhere. */
export const stopWords = ({ group, reason, removed, rows }: BrakeStop): string =>
  `${groupWords(group)}: ${removed.toLocaleString("en")} of ${records(rows, group.type || "record")} would be removed; ${STOPPED[reason]}`;

/** What goes along with rows: `2 shapes, 2 files, 0 authors, 0 links, 0 B of artifacts`. */
export const alongWords = ({ shapes, files, authors, links, bytes: size }: RowTotals): string =>
  [count(shapes, "shape"), count(files, "file"), count(authors, "author"), count(links, "link"), `${bytes(size)} of artifacts`].join(", ");

/** Why a row goes, where it is not that its document is gone. */
export function reasonWords({ type, reason, merged_into }: Removal): string | null {
  if (merged_into !== null) return `duplicate: becomes part of ${called(type, merged_into)}`;
  return reason === "unnamed" ? "what it was written from names it no more" : null;
}

/** What was done: `2 annotations removed`. */
export function doneWords({ removed, restored, stopped, removed_images = [], restored_images = [] }: Applied, type: string): string {
  const back = restored.length + restored_images.length;
  if (back > 0) return `${records(back, type)} brought back`;
  const held = stopped.length > 0 ? `; the brake held ${count(stopped.length, "scope")}` : "";
  return `${records(removed.length + removed_images.length, type)} removed${held}`;
}

/** The same plan, to be made again; null where it was made of chosen records, which nobody can ask for here. */
export function planAgain({ scope }: PlanHead, author: string): NewPlan | null {
  if (scope.entity_ids.length > 0) return null;
  return {
    type: scope.type,
    ...(scope.dataset_id === null ? {} : { dataset_id: scope.dataset_id }),
    ...(scope.run_id === null ? {} : { run_id: scope.run_id }),
    ...(scope.voxel_spacing_id === null ? {} : { voxel_spacing_id: scope.voxel_spacing_id }),
    ...(scope.layout ? { layout: scope.layout } : {}),
    ...(scope.everything ? { everything: true } : {}),
    ...(author ? { author } : {}),
  };
}

export type Doing = "make" | "apply" | "undo";

const REFUSED: { [doing in Doing]: string } = {
  make: "No plan was made",
  apply: "Nothing was removed",
  undo: "Nothing was brought back",
};

const UNCLEAR: { [doing in Doing]: string } = {
  make: "The list of plans says whether one was made.",
  apply: "The state of the plan says whether anything was removed.",
  undo: "The state of the plan says whether anything was brought back.",
};

export interface Failure {
  title: string;
  detail: string;
}

/** What a failed step came to. Only an answer that refuses says that nothing happened. */
export function failure(doing: Doing, { status, title, detail, errors }: Problem): Failure {
  const said = errors.length > 0 ? errors.join("; ") : detail || title;
  if (status >= 400 && status < 500) return { title: REFUSED[doing], detail: said };
  return { title: status === 0 ? title : "The server could not say how it went", detail: `${said} ${UNCLEAR[doing]}`.trim() };
}
