import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "node:test";

import { Problem } from "../api.ts";
import { type Picture, Pictures } from "./pictures.ts";

/** A server that answers when the test says so. */
class Desk {
  readonly asked: string[] = [];
  readonly released: string[] = [];
  readonly #answers = new Map<string, { give: (blob: Blob) => void; refuse: (error: unknown) => void }>();

  readonly pictures = new Pictures({
    fetch: (url, signal) => {
      this.asked.push(url);
      return new Promise((give, refuse) => {
        this.#answers.set(url, { give, refuse });
        signal.addEventListener("abort", () => refuse(new DOMException("", "AbortError")));
      });
    },
    decode: (url): Promise<Picture> => Promise.resolve({ url, source: `blob:${url}`, width: 1, height: 1 }),
    release: (picture) => this.released.push(picture.url),
  });

  async answer(url: string): Promise<void> {
    this.#answers.get(url)?.give(new Blob());
    await pause(0);
  }

  async refuse(url: string, problem: Problem): Promise<void> {
    this.#answers.get(url)?.refuse(problem);
    await pause(0);
  }

  get shown(): string | undefined {
    return this.pictures.store.get().shown?.url;
  }
}

test("the picture before stays until the next one is there", async () => {
  const desk = new Desk();
  desk.pictures.want("a");
  await desk.answer("a");
  desk.pictures.want("b");
  assert.deepEqual([desk.shown, desk.pictures.store.get().loading], ["a", true]);
  await desk.answer("b");
  assert.deepEqual([desk.shown, desk.pictures.store.get().loading], ["b", false]);
});

test("of many wishes during one request only the last is asked for", async () => {
  const desk = new Desk();
  for (const url of ["a", "b", "c", "d"]) desk.pictures.want(url);
  await desk.answer("a");
  assert.deepEqual(desk.asked, ["a", "d"]);
  await desk.answer("d");
  assert.equal(desk.shown, "d");
});

test("a late answer never replaces the picture that is wanted", async () => {
  const desk = new Desk();
  desk.pictures.want("a");
  await desk.answer("a");
  desk.pictures.want("b");
  desk.pictures.want("a");
  assert.deepEqual([desk.shown, desk.pictures.store.get().loading], ["a", false]);
  await desk.answer("b");
  assert.equal(desk.shown, "a");
});

test("a slow request is dropped for a newer wish", async () => {
  const desk = new Desk();
  desk.pictures.want("slow");
  desk.pictures.want("b");
  await pause(700);
  assert.deepEqual(desk.asked, ["slow", "b"]);
  await desk.answer("slow");
  assert.equal(desk.shown, undefined);
  await desk.answer("b");
  assert.equal(desk.shown, "b");
});

test("what was shown once is not asked for again", async () => {
  const desk = new Desk();
  for (const url of ["a", "b", "a"]) {
    desk.pictures.want(url);
    await desk.answer(url);
  }
  assert.deepEqual(desk.asked, ["a", "b"]);
});

test("an error is told and leaves the picture; another wish or try goes on", async () => {
  const desk = new Desk();
  desk.pictures.want("a");
  await desk.answer("a");
  desk.pictures.want("b");
  await desk.refuse("b", new Problem(422, "Damaged", "cut short"));
  const { problem, loading } = desk.pictures.store.get();
  assert.deepEqual([desk.shown, problem?.title, loading], ["a", "Damaged", false]);
  desk.pictures.retry();
  await desk.answer("b");
  assert.deepEqual([desk.shown, desk.pictures.store.get().problem], ["b", null]);
});

test("a picture that is still being made is asked for again", async () => {
  const desk = new Desk();
  desk.pictures.want("a");
  await desk.refuse("a", new Problem(503, "Not built yet", "", { retryAfterSeconds: 0.01 }));
  assert.equal(desk.pictures.store.get().loading, true);
  await pause(60);
  await desk.answer("a");
  assert.equal(desk.shown, "a");
});

test("closing gives every picture back", async () => {
  const desk = new Desk();
  for (const url of ["a", "b"]) {
    desk.pictures.want(url);
    await desk.answer(url);
  }
  desk.pictures.close();
  assert.deepEqual(desk.released, ["a", "b"]);
});
