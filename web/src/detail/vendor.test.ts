import assert from "node:assert/strict";
import { test } from "node:test";

import type { JsonValue } from "../api.ts";
import { prune } from "./vendor.ts";

const vendor: JsonValue = {
  Objective: { LensNA: 1.4, Immersion: "Oil" },
  Channel: [{ Name: "DAPI" }, { Name: "GFP", Gain: 4 }],
};

test("a value is found with the way to it", () => {
  assert.deepEqual(prune(vendor, "oil"), { Objective: { Immersion: "Oil" } });
  assert.deepEqual(prune(vendor, "gfp"), { Channel: { 1: { Name: "GFP" } } });
});

test("a name brings everything below it", () => {
  assert.deepEqual(prune(vendor, "objective"), { Objective: { LensNA: 1.4, Immersion: "Oil" } });
});

test("positions in a list are no names", () => {
  assert.equal(prune({ list: ["a", "b"] }, "1"), undefined);
  assert.equal(prune(vendor, "water"), undefined);
});
