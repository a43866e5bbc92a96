import assert from "node:assert/strict";
import { test } from "node:test";

import { auditPages } from "./audit.ts";
import type { AuditLine } from "./documents.ts";

test("the log is leafed through newest first, and lines that are added meanwhile move no page", async () => {
  const lines = Array.from({ length: 5 }, (_, n) => ({ seq: n + 1 }) as AuditLine);
  const audit = (before: number | null, limit: number) =>
    Promise.resolve(
      lines
        .filter((line) => before === null || line.seq < before)
        .reverse()
        .slice(0, limit),
    );
  const pages = auditPages({ audit });
  const seqs = async (skip: number) => (await pages({ skip, limit: 2 })).rows.map((line) => line.seq);
  assert.deepEqual(await seqs(0), [5, 4]);
  lines.push({ seq: 6 } as AuditLine);
  assert.deepEqual([await seqs(2), await seqs(4)], [[3, 2], [1]]);
  assert.equal((await pages({ skip: 4, limit: 2 })).total, 5);
  assert.deepEqual([await seqs(0), (await pages({ skip: 2, limit: 2 })).total], [[6, 5], 6]);
});

test("an empty log has no pages", async () => {
  assert.deepEqual(await auditPages({ audit: () => Promise.resolve([]) })({ skip: 0, limit: 2 }), { total: 0, rows: [] });
});
