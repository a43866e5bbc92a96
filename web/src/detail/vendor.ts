/** Searching a vendor's metadata document. Pure. */

import type { JsonValue } from "../api.ts";

export type Branch = JsonValue[] | { [key: string]: JsonValue };

export const isBranch = (value: JsonValue): value is Branch => value !== null && typeof value === "object";

export const entries = (branch: Branch): [key: string, value: JsonValue][] => Object.entries(branch);

export const size = (branch: Branch): number => (Array.isArray(branch) ? branch.length : Object.keys(branch).length);

export const leafText = (value: JsonValue): string => (value === null ? "–" : String(value));

/** Returns what of a document is called or says `wanted` (in lower case), with the way to it; undefined if nothing is. */
export function prune(value: JsonValue, wanted: string): JsonValue | undefined {
  if (!isBranch(value)) return leafText(value).toLowerCase().includes(wanted) ? value : undefined;
  const kept: { [key: string]: JsonValue } = {};
  for (const [key, child] of entries(value)) {
    // a list's keys are only positions, which nobody looks for
    const named = !Array.isArray(value) && key.toLowerCase().includes(wanted);
    const found = named ? child : prune(child, wanted);
    if (found !== undefined) kept[key] = found;
  }
  return Object.keys(kept).length > 0 ? kept : undefined;
}
