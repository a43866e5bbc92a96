import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "node:test";

import { Problem } from "../api.ts";
import type { Slice } from "./client.ts";
import { Paged, rangeWords } from "./paged.ts";

const ROWS = Array.from({ length: 250 }, (_, n) => n);

async function answer({ skip, limit }: Slice): Promise<{ total: number; rows: number[] }> {
  await pause(skip === 0 ? 20 : 1);
  return { total: ROWS.length, rows: ROWS.slice(skip, skip + limit) };
}

test("one page is there at a time", async () => {
  const list = new Paged(answer, 100);
  await list.go(0);
  assert.deepEqual(list.store.get().page?.rows, ROWS.slice(0, 100));
  await list.go(200);
  assert.deepEqual([list.store.get().skip, list.store.get().page?.rows.length], [200, 50]);
});

test("the page before stays shown while the next one is on its way", async () => {
  const list = new Paged(answer, 100);
  await list.go(100);
  list.next();
  assert.deepEqual([list.store.get().status, list.store.get().page?.rows[0]], ["loading", 100]);
  await pause(10);
  assert.deepEqual([list.store.get().status, list.store.get().page?.rows[0]], ["ready", 200]);
});

test("of two pages that are asked for the last one is shown, however late the other answers", async () => {
  const list = new Paged(answer, 100);
  await Promise.all([list.go(0), list.go(100)]);
  await pause(30);
  assert.deepEqual([list.store.get().skip, list.store.get().page?.rows[0]], [100, 100]);
});

test("two presses go two pages, and none goes beyond the last or the first", async () => {
  const list = new Paged(answer, 100);
  await list.go(0);
  list.next();
  list.next();
  list.next();
  await pause(10);
  assert.deepEqual([list.store.get().skip, list.store.get().page?.rows[0]], [200, 200]);
  for (let n = 0; n < 4; n += 1) list.previous();
  await pause(40);
  assert.equal(list.store.get().skip, 0);
});

test("a page that could not be read can be asked for again", async () => {
  let broken = true;
  const list = new Paged((slice) => (broken ? Promise.reject(Problem.unreachable()) : answer(slice)), 100);
  await list.go(100);
  assert.deepEqual([list.store.get().status, list.store.get().problem?.status], ["failed", 0]);
  broken = false;
  await list.again();
  assert.deepEqual([list.store.get().status, list.store.get().problem, list.store.get().skip], ["ready", null, 100]);
});

test("the place in a long list is said in numbers", () => {
  assert.equal(rangeWords(0, 100, 48213, "rows"), "1–100 of 48,213 rows");
  assert.equal(rangeWords(48200, 13, 48213, "rows"), "48,201–48,213 of 48,213 rows");
});
