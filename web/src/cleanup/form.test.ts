import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY_FORM, planOf } from "./form.ts";

test("a form becomes the request for a plan", () => {
  const typed = { ...EMPTY_FORM, dataset: " 3 ", run: "5", spacing: "14", layout: " /portal ", author: " ada " };
  assert.deepEqual(planOf(typed), { type: "annotation", dataset_id: 3, run_id: 5, voxel_spacing_id: 14, layout: "/portal", author: "ada" });
});

test("the whole catalog is meant only when somebody says so, and then nothing narrows it", () => {
  assert.equal(planOf(EMPTY_FORM), "Say where to look, or choose the whole catalog.");
  assert.deepEqual(planOf({ ...EMPTY_FORM, type: "record", everything: true, run: "5" }), { type: "record", everything: true });
});

test("what is no public number is refused before the server is asked", () => {
  for (const run of ["TS_1", "0", "-1", "1.5", "1e3", "9".repeat(16)]) {
    assert.equal(planOf({ ...EMPTY_FORM, run }), "The run is a public number, such as 14.", run);
  }
});
