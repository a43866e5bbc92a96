import { type Dispatch, type SetStateAction, useEffect } from "react";

import type { ImageStack } from "../api.ts";
import { useApp } from "../app.ts";
import { navigate } from "../router.tsx";
import { isTyping } from "../typing.ts";
import { goTo, neighbours } from "./neighbours.ts";
import { moveT, moveZ, showAll, showOnly, toggleChannel, toggleProjection, type View } from "./view.ts";

export const SHORTCUTS: readonly (readonly [keys: string, what: string])[] = [
  ["← →", "slice before, slice after (z)"],
  ["↓ ↑", "time point before, time point after (t)"],
  ["M", "maximum projection on and off"],
  ["1 … 9", "channel on and off; with Shift, or Shift-click: only this channel"],
  ["A", "all channels"],
  ["P N", "previous image, next image"],
  ["Esc", "back to the library"],
  ["?", "this help"],
];

type Change = Dispatch<SetStateAction<View>>;

/** The keys of the detail view. A slider that has the focus keeps its own arrow keys; text keeps all keys. */
export function useShortcuts(image: ImageStack, change: Change, showHelp: () => void): void {
  const { library } = useApp();
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector("dialog[open]")) return;
      if (event.key.startsWith("Arrow") && isSlider(event.target)) return;
      const action = viewChange(image, event);
      const near = neighbours(library.store.get().images, image.id);
      const places: Record<string, () => void> = {
        Escape: () => navigate(libraryRoute(library.store.get().q)),
        "?": showHelp,
        p: () => goTo(near.previous),
        n: () => goTo(near.next),
      };
      const move = places[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action && !move) return;
      event.preventDefault();
      if (action) change(action);
      move?.();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [image, library, change, showHelp]);
}

const isSlider = (target: EventTarget | null): boolean => target instanceof HTMLInputElement && target.type === "range";

export const libraryRoute = (q: string): string => (q ? `/?q=${encodeURIComponent(q)}` : "/");

/** What a key does to the view; null when it does nothing here, so that arrows still scroll where there is no axis. */
function viewChange({ metadata }: ImageStack, { key, code, shiftKey }: KeyboardEvent): ((view: View) => View) | null {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1 }[key];
  if (step !== undefined && (key === "ArrowRight" || key === "ArrowLeft")) {
    return metadata.size_z > 1 ? (view) => moveZ(metadata, view, view.z + step) : null;
  }
  if (step !== undefined) return metadata.size_t > 1 ? (view) => moveT(metadata, view, view.t + step) : null;
  if (key.toLowerCase() === "m") return (view) => toggleProjection(metadata, view);
  if (key.toLowerCase() === "a") return showAll;
  // with Shift the key is another sign on every keyboard, so the place of the key counts as well
  const digit = /^[1-9]$/.exec(key)?.[0] ?? (shiftKey ? /^Digit([1-9])$/.exec(code)?.[1] : undefined);
  const index = Number(digit) - 1;
  if (!(index >= 0 && index < metadata.channels.length)) return null;
  return shiftKey ? (view) => showOnly(view, index) : (view) => toggleChannel(view, index);
}
