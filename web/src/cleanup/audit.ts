import type { CleanupApi, Slice } from "./client.ts";
import type { AuditLine, RowPage } from "./documents.ts";

/**
 * Pages of the log, newest line first. Lines count from 1 without a gap, so the newest line says how many there are, and
 * later pages go on from it: a line that is added meanwhile moves none of them.
 */
export function auditPages(cleanup: Pick<CleanupApi, "audit">): (slice: Slice) => Promise<RowPage<AuditLine>> {
  let newest = 0;
  return async ({ skip, limit, signal }) => {
    const rows = await cleanup.audit(skip === 0 ? null : newest - skip + 1, limit, signal);
    if (skip === 0) newest = rows[0]?.seq ?? 0;
    return { total: newest, rows };
  };
}
