import assert from "node:assert/strict";
import { test } from "node:test";

import { channels, sampleImage } from "../samples.ts";
import { choose, moveT, moveZ, parseView, pixelsFor, showAll, showOnly, spellView, toggleChannel, toggleProjection } from "./view.ts";

const stack = sampleImage({
  metadata: { size_z: 10, size_t: 5, size_c: 3, channels: channels("DAPI", "GFP", "Cy5") },
}).metadata;

test("one starts where the thumbnail is: middle time point, projection, all channels", () => {
  const view = parseView(stack, "");
  assert.deepEqual(choose(stack, view), { t: 2, z: "max", channels: null });
  assert.equal(spellView(stack, view), "");
});

test("where structures are dark one starts at the middle slice, and the projection is a choice", () => {
  const tomogram = { ...stack, default_z: 5 };
  const view = parseView(tomogram, "");
  assert.deepEqual([choose(tomogram, view).z, view.projection, spellView(tomogram, view)], [5, false, ""]);
  const projected = toggleProjection(tomogram, view);
  assert.deepEqual([choose(tomogram, projected).z, spellView(tomogram, projected)], ["max", "?z=max"]);
  assert.deepEqual(parseView(tomogram, "?z=max"), projected);
});

test("an address brings the same view back", () => {
  let view = moveT(stack, moveZ(stack, parseView(stack, ""), 3), 4);
  view = toggleChannel(view, 1);
  assert.equal(spellView(stack, view), "?t=4&z=3&channels=0,2");
  assert.deepEqual(parseView(stack, spellView(stack, view)), view);
});

test("an address that asks for too much gets what there is", () => {
  assert.deepEqual(choose(stack, parseView(stack, "?t=99&z=99&channels=7")), { t: 4, z: 9, channels: null });
  assert.deepEqual(choose(stack, parseView(stack, "?t=x&z=-1")), { t: 2, z: "max", channels: null });
});

test("moving through z leaves the projection and stops at the ends", () => {
  const view = moveZ(stack, parseView(stack, ""), 12);
  assert.deepEqual([view.z, view.projection], [9, false]);
  assert.equal(moveZ(stack, view, -1).z, 0);
  assert.equal(choose(stack, toggleProjection(stack, view)).z, "max");
});

test("the last channel stays on", () => {
  const view = toggleChannel(toggleChannel(parseView(stack, ""), 0), 1);
  assert.deepEqual(view.visible, [false, false, true]);
  assert.equal(toggleChannel(view, 2), view);
});

test("one channel alone, and all of them again", () => {
  const view = showOnly(parseView(stack, ""), 1);
  assert.deepEqual(choose(stack, view).channels, [1]);
  assert.equal(choose(stack, showAll(view)).channels, null);
});

test("a vertical section has no slices to choose", () => {
  const section = sampleImage({ metadata: { size_z: 40, size_y: 1 } }).metadata;
  assert.equal(choose(section, moveZ(section, parseView(section, "?z=4"), 5)).z, null);
});

test("a picture has as many pixels as the screen shows, in steps", () => {
  const wide = sampleImage({ metadata: { size_x: 2000, size_y: 1000 } }).metadata;
  assert.equal(pixelsFor({ width: 1000, height: 400 }, wide, 1), 1024);
  assert.equal(pixelsFor({ width: 300, height: 400 }, wide, 1), 512);
  assert.equal(pixelsFor({ width: 3000, height: 4000 }, wide, 3), 2048);
});
