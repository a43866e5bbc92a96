import { useEffect, useMemo, useState } from "react";

import { type ImageStack, pictureUrl } from "../api.ts";
import { useApp } from "../app.ts";
import { annotate } from "../router.tsx";
import { useStore } from "../store.ts";
import { Controls } from "./Controls.tsx";
import { HelpDialog } from "./HelpDialog.tsx";
import { decodeInBrowser, Pictures, releaseInBrowser } from "./pictures.ts";
import { Stage } from "./Stage.tsx";
import { useShortcuts } from "./useShortcuts.ts";
import { choose, parseView, spellView, type View } from "./view.ts";

const ADDRESS_MS = 300;

/** The picture and the controls that say what it shows. */
export function Viewer({ image }: { image: ImageStack }) {
  const { metadata } = image;
  const [view, setView] = useState<View>(() => parseView(metadata, window.location.search));
  const [pixels, setPixels] = useState<number | null>(null);
  const [help, setHelp] = useState(false);
  const pictures = usePictures();
  const state = useStore(pictures.store);
  const url = pixels === null ? null : pictureUrl(image, choose(metadata, view), pixels);

  useEffect(() => {
    if (url !== null) pictures.want(url);
  }, [pictures, url]);
  const search = spellView(metadata, view);
  useEffect(() => {
    // browsers limit how often an address may change
    const timer = setTimeout(() => annotate(search), ADDRESS_MS);
    return () => clearTimeout(timer);
  }, [search]);
  useShortcuts(image, setView, () => setHelp(true));

  return (
    <section className="viewer" aria-label="Picture">
      <Stage image={image} state={state} onPixels={setPixels} onRetry={pictures.retry} />
      <Controls image={image} view={view} onView={setView} onHelp={() => setHelp(true)} />
      {help && <HelpDialog onClose={() => setHelp(false)} />}
    </section>
  );
}

function usePictures(): Pictures {
  const { api } = useApp();
  const pictures = useMemo(
    () => new Pictures({ fetch: api.picture, decode: decodeInBrowser, release: releaseInBrowser }),
    [api],
  );
  useEffect(() => () => pictures.close(), [pictures]);
  return pictures;
}
