/** A page of another site with Viv in it: what a test asks for is loaded, hashed and drawn. */

import { getDefaultInitialViewState, loadOmeZarr, PictureInPictureViewer } from "@hms-dbmi/viv";
import { createElement } from "react";
import { createRoot } from "react-dom/client";

const WIDTH = 900;
const HEIGHT = 700;

/** Loads an image; gives what Viv makes of its documents. */
window.load = async (address) => {
  const { data, metadata } = await loadOmeZarr(address, { type: "multiscales" });
  window.levels = data;
  window.metadata = metadata;
  return data.map(({ shape, labels, dtype, tileSize }) => ({ shape, labels, dtype, tileSize }));
};

/** The SHA-256 of one plane, put together by Viv from all chunks it lies in. */
window.planeHash = async (level, selection) => {
  const { data } = await window.levels[level].getRaster({ selection });
  return hash(data);
};

/** The SHA-256 of one tile as Viv draws it, and its size. */
window.tile = async (level, selection, x, y) => {
  const { data, width, height } = await window.levels[level].getTile({ x, y, selection });
  return { width, height, hash: await hash(data) };
};

/** Draws all channels of one time point and slice as the documents say; resolves when every tile is on the screen. */
window.draw = (t, z) =>
  new Promise((resolve, reject) => {
    const { channels } = window.metadata.omero;
    const shown = channels.map((channel, c) => ({ ...channel, selection: { t, c, z } })).slice(0, 6);
    createRoot(document.getElementById("viewer")).render(
      createElement(PictureInPictureViewer, {
        loader: window.levels,
        width: WIDTH,
        height: HEIGHT,
        overviewOn: false,
        viewStates: [{ ...getDefaultInitialViewState(window.levels, { width: WIDTH, height: HEIGHT }), id: "detail" }],
        contrastLimits: shown.map(({ window: { start, end } }) => [start, end]),
        colors: shown.map(({ color }) => [0, 2, 4].map((at) => Number.parseInt(color.slice(at, at + 2), 16))),
        channelsVisible: shown.map(({ active }) => active),
        selections: shown.map(({ selection }) => selection),
        onViewportLoad: resolve,
        deckProps: { onError: reject, glOptions: { preserveDrawingBuffer: true } },
      }),
    );
  });

async function hash({ buffer, byteOffset, byteLength }) {
  const digest = await crypto.subtle.digest("SHA-256", buffer.slice(byteOffset, byteOffset + byteLength));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
