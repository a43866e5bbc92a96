import assert from "node:assert/strict";
import { test } from "node:test";

import { asProblem, pictureUrl, Problem, stateIn, thumbnailUrl } from "./api.ts";
import { sampleImage } from "./samples.ts";

test("an error document becomes its words", () => {
  const text = JSON.stringify({ type: "unsupported-format", title: "Not supported", detail: "a.txt: no reader", errors: ["TIFF"] });
  const problem = Problem.parse(400, text, "5");
  assert.deepEqual([problem.status, problem.title, problem.detail], [400, "Not supported", "a.txt: no reader"]);
  assert.deepEqual([problem.type, problem.errors], ["unsupported-format", ["TIFF"]]);
  assert.equal(problem.retryAfterSeconds, 5);
});

test("what something in between answered is readable too", () => {
  assert.equal(Problem.parse(502, "<html>Bad gateway</html>").title, "The server answered 502");
  assert.equal(Problem.parse(500, "[1]").title, "The server answered 500");
  assert.equal(asProblem(new TypeError("Failed to fetch")).title, "No answer from the server");
});

test("the address of a picture says only what is chosen", () => {
  const image = sampleImage();
  assert.equal(pictureUrl(image, { t: 0, z: null, channels: null }, 1024), "/api/images/one/thumbnail?width=1024&height=1024&t=0&v=1");
  assert.match(pictureUrl(image, { t: 0, z: "max", channels: null }, 1024), /projection=max/);
  const chosen = new URL(pictureUrl(image, { t: 2, z: 7, channels: [0, 2] }, 512), "http://page");
  assert.equal(chosen.searchParams.get("z_slice"), "7");
  assert.equal(chosen.searchParams.get("channels"), "0,2");
});

test("a new thumbnail has a new address", () => {
  const newer = sampleImage({ metadata: { thumbnail: { state: "fresh", etag: "def", error: null } } });
  assert.notEqual(thumbnailUrl(sampleImage()), thumbnailUrl(newer));
});

test("the state is read out of the address of the viewer, or as it is", () => {
  const address = `http://127.0.0.1:8000/neuroglancer/v/one/#!${encodeURIComponent('{"position":[1,2]}')}`;
  assert.deepEqual(stateIn(address), { position: [1, 2] });
  assert.deepEqual(stateIn('{"layout":"xy"}'), { layout: "xy" });
  for (const other of ["", "[1]", "null", "http://127.0.0.1:8000/view/one", "x#!http://127.0.0.1/state.json", "x#!%"]) {
    assert.equal(stateIn(other), null);
  }
});
