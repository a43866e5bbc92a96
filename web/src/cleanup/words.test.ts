import assert from "node:assert/strict";
import { test } from "node:test";

import { Problem } from "../api.ts";
import type { Group, PlanHead, Removal, Scope } from "./documents.ts";
import { alongWords, called, calledRow, dependentWords, doneWords, failure, groupWords, planAgain, reasonWords, records, scopeWords, stopWords } from "./words.ts";

const GROUP: Group = {
  dataset: "20001",
  run: "TS_1",
  spacing: "13.480",
  number: 14,
  dataset_id: 3,
  run_id: 5,
  layout: "/portal",
  type: "annotation",
};
const SCOPE: Scope = { type: "annotation", dataset_id: null, run_id: null, voxel_spacing_id: null, layout: "", entity_ids: [], everything: true };

test("a scope says what is looked at and where", () => {
  assert.equal(scopeWords(SCOPE), "all annotations");
  assert.equal(scopeWords({ ...SCOPE, everything: false, dataset_id: 3, run_id: 5 }), "annotations of dataset 3, run 5");
  assert.equal(scopeWords({ ...SCOPE, type: "tiltseries", voxel_spacing_id: 14, layout: "s3://b/p" }), "tilt series of voxel spacing 14, s3://b/p");
  assert.equal(scopeWords({ ...SCOPE, type: "record", entity_ids: [1, 2] }), "records of 2 chosen records");
});

test("a group is named as the report on the command line names it", () => {
  assert.equal(groupWords(GROUP), "dataset 20001 (3), run TS_1 (5), voxel spacing 13.480 Å (14)");
  assert.equal(groupWords({ ...GROUP, spacing: "", number: 5, run_id: 5 }), "dataset 20001 (3), run TS_1 (5)");
  assert.equal(groupWords({ ...GROUP, dataset: "", run: "", spacing: "" }), "/portal");
});

test("the brake says how much would go and why it holds", () => {
  assert.equal(
    stopWords({ group: GROUP, reason: "many", removed: 6, rows: 21 }),
    "dataset 20001 (3), run TS_1 (5), voxel spacing 13.480 Å (14): 6 of 21 annotations would be removed; more than 20% would go",
  );
  assert.match(stopWords({ group: GROUP, reason: "empty", removed: 1, rows: 1 }), /1 of 1 annotation would be removed; the listing shows nothing/);
});

test("numbers and types are words, those of types the page does not know too", () => {
  assert.deepEqual([records(1, "annotation"), records(1204, "frame")], ["1 annotation", "1,204 records of frames"]);
  assert.deepEqual([records(2, "artifact"), records(2, "key_photo")], ["2 artifacts", "2 key photos"]);
  assert.deepEqual([called("tiltseries", 4), called("identified_object", 5)], ["tilt series 4", "identified object 5"]);
  const totals = { rows: 2, duplicates: 0, shapes: 2, files: 1, authors: 0, links: 0, bytes: 2048 };
  assert.equal(alongWords(totals), "2 shapes, 1 file, 0 authors, 0 links, 2 KiB of artifacts");
});

test("a duplicate says what it becomes part of", () => {
  const row = { type: "annotation", reason: "duplicate", merged_into: 9 } as Removal;
  assert.equal(reasonWords(row), "duplicate: becomes part of annotation 9");
  assert.equal(reasonWords({ ...row, reason: "absent", merged_into: null }), null);
  assert.equal(reasonWords({ ...row, reason: "unnamed", merged_into: null }), "what it was written from names it no more");
});

test("what depends on a row is told in numbers and by name", () => {
  const row = { dependents: ["2 tomograms show it"], depending: [{ kind: "view", id: "ab12", name: "ribosomes" }], more_depending: 1200 };
  assert.deepEqual(dependentWords(row as unknown as Removal), ["2 tomograms show it", "view ab12 (ribosomes)", "and 1,200 more"]);
  assert.deepEqual(dependentWords({ dependents: [] as string[] } as Removal), []);
  assert.deepEqual([calledRow({ type: "image", id: 0, image_id: "x1" }), calledRow({ type: "gain", id: 4 })], ["image x1", "gain 4"]);
});

test("what was done is counted", () => {
  const applied = { plan_id: "x", removed: [21, 22], restored: [], stopped: [] };
  assert.equal(doneWords(applied, "annotation"), "2 annotations removed");
  assert.equal(doneWords({ ...applied, removed: [], restored: [21] }, "annotation"), "1 annotation brought back");
  const held = { ...applied, stopped: [{ group: GROUP, reason: "many", removed: 6, rows: 21 } as const] };
  assert.equal(doneWords(held, "annotation"), "2 annotations removed; the brake held 1 scope");
  assert.equal(doneWords({ ...applied, removed: [], removed_images: ["a"] }, "image"), "1 image removed");
});

test("a plan that no longer holds can be asked for again with the same scope", () => {
  const plan = { scope: { ...SCOPE, everything: false, run_id: 5 } } as PlanHead;
  assert.deepEqual(planAgain(plan, "ada"), { type: "annotation", run_id: 5, author: "ada" });
  assert.deepEqual(planAgain({ scope: SCOPE } as PlanHead, ""), { type: "annotation", everything: true });
  assert.equal(planAgain({ scope: { ...SCOPE, entity_ids: [1] } } as PlanHead, ""), null);
});

test("only a refusal says that nothing happened", () => {
  const changed = new Problem(409, "The request contradicts the present state", "annotation 21 of plan x changed since it was made.");
  assert.deepEqual(failure("apply", changed), { title: "Nothing was removed", detail: "annotation 21 of plan x changed since it was made." });
  const invalid = new Problem(422, "A parameter is wrong", "wrong", { errors: ["run_id: too small"] });
  assert.deepEqual(failure("make", invalid), { title: "No plan was made", detail: "run_id: too small" });
  const lost = failure("undo", Problem.unreachable());
  assert.equal(lost.title, "No answer from the server");
  assert.match(lost.detail, /The state of the plan says whether anything was brought back\.$/);
  assert.equal(failure("apply", new Problem(503, "The catalog does not answer", "locked")).title, "The server could not say how it went");
});
