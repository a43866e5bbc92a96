import assert from "node:assert/strict";
import { test } from "node:test";

import { neuroglancerUrl } from "../api.ts";
import { sampleImage } from "../samples.ts";
import { noNeuroglancer } from "./neuroglancer.ts";

test("what Neuroglancer cannot show is said before somebody tries", () => {
  assert.equal(noNeuroglancer(sampleImage().metadata), null);
  assert.match(noNeuroglancer(sampleImage({ metadata: { dtype: "float64" } }).metadata) ?? "", /float64/);
  assert.match(noNeuroglancer(sampleImage({ metadata: { missing_since: "2024-01-01T00:00:00Z" } }).metadata) ?? "", /no longer/);
});

test("the way there is short", () => {
  assert.equal(neuroglancerUrl("a/b"), "/view/a%2Fb");
});
