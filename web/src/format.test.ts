import assert from "node:assert/strict";
import { test } from "node:test";

import {
  barLength,
  bytes,
  count,
  dimensions,
  fieldOfView,
  formatLabel,
  length,
  pixelSize,
  roundLength,
  seconds,
  titles,
  voxelSize,
} from "./format.ts";
import { sampleImage } from "./samples.ts";

test("a length is written in the unit that reads best", () => {
  const written = [0.065, 0.000784, 0.005, 0.10833, 15, 2345].map(length);
  assert.deepEqual(written, ["0.065 µm", "7.84 Å", "5 nm", "0.108 µm", "15 µm", "2.35 mm"]);
  assert.equal(barLength(0.1), "100 nm");
  assert.equal(barLength(0.0005), "5 Å");
  assert.equal(barLength(20), "20 µm");
});

test("pixel sizes are given once when equal, both when not, and said to be unknown", () => {
  assert.equal(pixelSize(sampleImage()), "0.065 µm");
  assert.equal(pixelSize(sampleImage({ pixel_size_y: 0.13 })), "0.065 × 0.13 µm");
  assert.equal(pixelSize(sampleImage({ pixel_size_x: null, pixel_size_y: null })), "pixel size unknown");
  assert.equal(voxelSize(sampleImage({ depth: 3 })), "0.065 × 0.065 × ? µm");
});

test("axes of length one go without saying", () => {
  assert.equal(dimensions(sampleImage()), "640 × 512");
  const stack = sampleImage({ width: 2048, height: 2048, depth: 24, metadata: { size_c: 3, size_t: 30 } });
  assert.equal(dimensions(stack), "2048 × 2048 × 24 z · 3 ch · 30 t");
  assert.equal(dimensions(sampleImage({ metadata: { samples: 3 } })), "640 × 512 · RGB");
});

test("the field of view needs a pixel size", () => {
  assert.equal(fieldOfView(sampleImage()), "41.6 × 33.3 µm");
  assert.equal(fieldOfView(sampleImage({ pixel_size_x: 5 })), "3.2 mm × 33.3 µm");
  assert.equal(fieldOfView(sampleImage({ pixel_size_x: null })), null);
});

test("a format is one label", () => {
  const pairs = [["TIFF", "OME-TIFF"], ["TIFF", "ImageJ"], ["OME-Zarr", "0.4"], ["CZI", null]] as const;
  const labels = pairs.map(([family, variant]) => formatLabel(family, variant));
  assert.deepEqual(labels, ["OME-TIFF", "TIFF · ImageJ", "OME-Zarr 0.4", "CZI"]);
});

test("the file is named once when the image is called like it", () => {
  assert.deepEqual(titles(sampleImage()), { title: "cells.ome.tif", subtitle: "data/" });
  assert.equal(titles(sampleImage({ metadata: { origin: "uploaded" } })).subtitle, null);
  const inside = sampleImage({ filename: "plate.lif", metadata: { name: "control, day 3" } });
  assert.deepEqual(titles(inside), { title: "control, day 3", subtitle: "plate.lif" });
  assert.equal(titles(sampleImage({ metadata: { name: "Image0" } })).subtitle, "data/");
  for (const name of ["Image1", "Series 003", "Scene #1", "12"]) {
    assert.deepEqual(titles(sampleImage({ metadata: { name } })), { title: "cells.ome.tif", subtitle: name });
  }
});

test("a scale bar is 1, 2 or 5 times a power of ten and fits", () => {
  assert.deepEqual([0.7, 1, 4.9, 23, 999].map(roundLength), [0.5, 1, 2, 20, 500]);
});

test("counts, sizes and times", () => {
  assert.deepEqual([count(1, "image"), count(1500, "image"), count(2, "match", "matches")], ["1 image", "1,500 images", "2 matches"]);
  assert.deepEqual([0, 1023, 1536, 5 * 1024 ** 3].map(bytes), ["0 B", "1023 B", "1.5 KiB", "5 GiB"]);
  assert.deepEqual([0.05, 12.34, 600].map(seconds), ["50 ms", "12.3 s", "10 min"]);
});
