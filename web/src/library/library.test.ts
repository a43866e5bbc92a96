import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "node:test";

import { type Api, type ImageStack, Problem } from "../api.ts";
import { sampleImage } from "../samples.ts";
import { Library } from "./library.ts";

/** The API over a list in memory. */
class Shelf {
  images: ImageStack[];
  broken = false;
  gets: string[] = [];
  lists = 0;

  constructor(count: number) {
    this.images = Array.from({ length: count }, (_, n) => sampleImage({ id: `i${n}`, filename: `i${n}.tif` }));
  }

  readonly api: Api = {
    list: async (skip, limit, q) => {
      this.lists += 1;
      await pause(1);
      if (this.broken) throw Problem.unreachable();
      const found = this.images.filter((image) => image.filename.includes(q));
      return { images: found.slice(skip, skip + limit), total: found.length, skip, limit };
    },
    get: async (id) => {
      this.gets.push(id);
      await pause(1);
      const image = this.images.find((one) => one.id === id);
      if (!image) throw new Problem(404, "There is nothing here", "");
      return image;
    },
    metadata: () => Promise.reject(new Error("not asked for here")),
    picture: () => Promise.reject(new Error("not asked for here")),
    remove: () => Promise.resolve(),
    restore: () => Promise.reject(new Error("not asked for here")),
    keepView: () => Promise.reject(new Error("not asked for here")),
    surroundings: () => Promise.reject(new Error("not asked for here")),
  };
}

const ids = (library: Library): string[] => library.store.get().images.map((image) => image.id);

test("pages follow each other without a gap or a double", async () => {
  const shelf = new Shelf(130);
  const library = new Library(shelf.api);
  await library.search("");
  shelf.images.unshift(sampleImage({ id: "new" }));
  await library.loadMore();
  await library.loadMore();
  assert.equal(new Set(ids(library)).size, ids(library).length);
  assert.equal(ids(library).length, 130);
});

test("of two searches the last one wins", async () => {
  const shelf = new Shelf(12);
  const library = new Library(shelf.api);
  await Promise.all([library.search("i1"), library.search("i11")]);
  assert.deepEqual([ids(library), library.store.get().q], [["i11"], "i11"]);
});

test("an unreachable server is said, and trying again helps", async () => {
  const shelf = new Shelf(1);
  shelf.broken = true;
  const library = new Library(shelf.api);
  await library.search("");
  assert.equal(library.store.get().status, "failed");
  shelf.broken = false;
  await library.search("");
  assert.deepEqual([library.store.get().status, library.store.get().problem], ["ready", null]);
});

test("a server that comes back is found without a press of a button", async () => {
  const shelf = new Shelf(2);
  shelf.broken = true;
  const library = new Library(shelf.api);
  await library.search("");
  library.reload();
  await pause(5);
  assert.equal(library.store.get().status, "failed");
  shelf.broken = false;
  library.reload();
  await pause(5);
  assert.deepEqual([library.store.get().status, ids(library)], ["ready", ["i0", "i1"]]);
});

test("events of images that are not shown ask nothing; those of shown ones are asked once", async () => {
  const shelf = new Shelf(2);
  const library = new Library(shelf.api);
  await library.search("");
  shelf.images[0] = sampleImage({ id: "i0", metadata: { thumbnail: { state: "fresh", etag: "new", error: null } } });
  for (const imageId of ["i0", "i0", "elsewhere"]) library.heard({ type: "artifact.built", imageId });
  await pause(350);
  assert.deepEqual(shelf.gets, ["i0"]);
  assert.equal(library.find("i0")?.metadata.thumbnail.etag, "new");
});

test("additions are read again, many at once", async () => {
  const shelf = new Shelf(1);
  const library = new Library(shelf.api);
  await library.search("");
  for (let n = 0; n < 50; n += 1) {
    shelf.images.unshift(sampleImage({ id: `new${n}` }));
    library.heard({ type: "image.added", imageId: `new${n}` });
  }
  await pause(20);
  assert.equal(library.store.get().total, 51);
  assert.ok(shelf.lists <= 3, `${shelf.lists} lists`);
});

test("a deleted image leaves the list and the count", async () => {
  const library = new Library(new Shelf(3).api);
  await library.search("");
  library.heard({ type: "image.deleted", imageId: "i1" });
  assert.deepEqual([ids(library), library.store.get().total], [["i0", "i2"], 2]);
});
