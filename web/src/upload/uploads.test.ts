import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "node:test";

import { Problem, type Uploaded } from "../api.ts";
import { sampleImage } from "../samples.ts";
import { type Send, Uploads } from "./uploads.ts";

const ANSWER: Uploaded = { message: "", id: "one", image_stack: sampleImage(), images: [sampleImage()] };
const files = (...names: string[]): File[] => names.map((name) => new File(["x"], name));
const kinds = (uploads: Uploads): string[] => uploads.store.get().map(({ status }) => status.kind);

test("two files are sent at a time, the others wait", async () => {
  let running = 0;
  let most = 0;
  const send: Send = async () => {
    most = Math.max(most, ++running);
    await pause(2);
    running -= 1;
    return ANSWER;
  };
  let done = 0;
  const uploads = new Uploads(send, () => (done += 1));
  uploads.add(files("a", "b", "c", "d", "e"));
  assert.deepEqual(kinds(uploads), ["sending", "sending", "waiting", "waiting", "waiting"]);
  while (done < 5) await pause(2);
  assert.deepEqual([most, done, new Set(kinds(uploads))], [2, 5, new Set(["done"])]);
});

test("a refused file keeps its reason and does not stop the next", async () => {
  const send: Send = (file) => (file.name === "bad" ? Promise.reject(new Problem(400, "Not supported", "")) : Promise.resolve(ANSWER));
  const uploads = new Uploads(send, () => undefined);
  uploads.add(files("bad", "good", "good"));
  await pause(5);
  assert.deepEqual(kinds(uploads), ["failed", "done", "done"]);
  uploads.clear();
  assert.deepEqual(kinds(uploads), []);
});

test("a cancelled upload is aborted, stays cancelled and makes room", async () => {
  const aborted: string[] = [];
  const send: Send = (file, _onFraction, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        aborted.push(file.name);
        reject(new DOMException("", "AbortError"));
      });
    });
  const uploads = new Uploads(send, () => undefined);
  uploads.add(files("a", "b", "c"));
  uploads.cancel(uploads.store.get()[0]?.key ?? -1);
  await pause(5);
  assert.deepEqual(aborted, ["a"]);
  assert.deepEqual(kinds(uploads), ["cancelled", "sending", "sending"]);
});

test("progress is shown, and another try starts again", async () => {
  let attempts = 0;
  const send: Send = async (_file, onFraction) => {
    onFraction(0.5);
    await pause(1);
    attempts += 1;
    if (attempts === 1) throw Problem.unreachable();
    return ANSWER;
  };
  const uploads = new Uploads(send, () => undefined);
  uploads.add(files("a"));
  assert.deepEqual(uploads.store.get()[0]?.status, { kind: "sending", fraction: 0.5 });
  await pause(10);
  assert.deepEqual(kinds(uploads), ["failed"]);
  uploads.retry(uploads.store.get()[0]?.key ?? -1);
  await pause(10);
  assert.deepEqual(kinds(uploads), ["done"]);
});
