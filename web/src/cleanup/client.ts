/** The routes of cleanups and of the log of removals. */

import { json, post } from "../api.ts";
import { rememberedAuthor } from "./author.ts";
import type { Applied, AuditCheck, AuditLine, EntityList, Kept, NewPlan, PlanHead, PlanReport, Removal, RowPage } from "./documents.ts";

/** Which page of a list. */
export interface Slice {
  skip: number;
  limit: number;
  signal?: AbortSignal;
}

const PLANS = "/api/cleanup/plans";

const planPath = (id: string): string => `${PLANS}/${encodeURIComponent(id)}`;

/** Who asks: where rows are kept from some, a plan shows what this one may remove. */
function asked(): { author?: string } {
  const author = rememberedAuthor();
  return author ? { author } : {};
}

function page<T>(path: string, { skip, limit, signal }: Slice, more: { [name: string]: string } = {}): Promise<T> {
  const query = new URLSearchParams({ ...more, ...asked(), skip: String(skip), limit: String(limit) });
  return json<T>(`${path}?${query}`, signal ? { signal } : {});
}

export const cleanup = {
  plans: async (limit: number, signal?: AbortSignal): Promise<PlanHead[]> =>
    (await json<{ plans: PlanHead[] }>(`${PLANS}?${new URLSearchParams({ ...asked(), limit: String(limit) })}`, signal ? { signal } : {})).plans,
  make: (plan: NewPlan): Promise<PlanHead> => post<PlanHead>(`${PLANS}?rows=false`, plan),
  report: (id: string, slice: Slice): Promise<PlanReport> => page(`${planPath(id)}/report`, slice),
  removals: (id: string, group: number, slice: Slice): Promise<RowPage<Removal>> =>
    page(`${planPath(id)}/removals`, slice, { group: String(group) }),
  duplicates: (id: string, slice: Slice): Promise<RowPage<Removal>> => page(`${planPath(id)}/removals`, slice, { duplicates: "true" }),
  kept: (id: string, state: "unknown" | "incomplete", slice: Slice): Promise<RowPage<Kept>> =>
    page(`${planPath(id)}/kept`, slice, { state }),
  orphans: (id: string, slice: Slice): Promise<RowPage<string>> => page(`${planPath(id)}/orphans`, slice),
  apply: (id: string, author: string, allowRemoval: number): Promise<Applied> =>
    post<Applied>(`${planPath(id)}/apply`, { author, allow_removal: allowRemoval }),
  undo: (id: string, author: string): Promise<Applied> => post<Applied>(`${planPath(id)}/undo`, { author }),
  /** Lines of the log, newest first; those before a line, where one is given. */
  audit: async (before: number | null, limit: number, signal?: AbortSignal): Promise<AuditLine[]> => {
    const query = new URLSearchParams({ ...asked(), newest: "true", limit: String(limit), ...(before === null ? {} : { before: String(before) }) });
    return (await json<{ lines: AuditLine[] }>(`/api/audit?${query}`, signal ? { signal } : {})).lines;
  },
  checkAudit: (signal?: AbortSignal): Promise<AuditCheck> => json<AuditCheck>("/api/audit/check", signal ? { signal } : {}),
  /** Records of which files are not there, oldest first. */
  incomplete: (cursor: string | null, limit: number, signal?: AbortSignal): Promise<EntityList> => {
    const query = new URLSearchParams({ incomplete: "true", limit: String(limit), ...(cursor === null ? {} : { cursor }) });
    return json<EntityList>(`/api/entities/?${query}`, signal ? { signal } : {});
  },
};

export type CleanupApi = typeof cleanup;
