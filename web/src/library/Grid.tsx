import { type KeyboardEvent, useEffect, useRef } from "react";

import { useApp } from "../app.ts";
import { Card } from "./Card.tsx";
import type { LibraryState } from "./library.ts";

export function Grid({ state }: { state: LibraryState }) {
  const { images, total } = state;
  return (
    <>
      <ul className="grid" onKeyDown={moveFocus}>
        {images.map((image) => (
          <li key={image.id}>
            <Card image={image} />
          </li>
        ))}
      </ul>
      {images.length < total && <More failed={state.more === "failed"} loading={state.more === "loading"} />}
    </>
  );
}

/** Loads the next images when it comes near the screen, and is a button for those who want to press one. */
function More({ failed, loading }: { failed: boolean; loading: boolean }) {
  const { library } = useApp();
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (failed || loading || button.current === null) return undefined;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && void library.loadMore(), {
      rootMargin: "800px",
    });
    observer.observe(button.current);
    return () => observer.disconnect();
  }, [failed, loading, library]);
  return (
    <div className="more">
      {failed && <p role="alert">The next images could not be loaded.</p>}
      <button ref={button} type="button" className="button" disabled={loading} onClick={() => void library.loadMore()}>
        {loading ? "Loading…" : failed ? "Try again" : "Load more"}
      </button>
    </div>
  );
}

/** Arrow keys walk the grid as it is laid out; Tab still visits every card. */
function moveFocus(event: KeyboardEvent<HTMLUListElement>): void {
  const grid = event.currentTarget;
  const cards = [...grid.querySelectorAll<HTMLAnchorElement>("a.card")];
  const at = cards.findIndex((card) => card === document.activeElement);
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
  const to = event.key === "Home" ? 0 : event.key === "End" ? cards.length - 1 : step === undefined ? -1 : at + step;
  const card = cards[to];
  if (at < 0 || !card) return;
  event.preventDefault();
  card.focus();
}

export function GridSkeleton() {
  return (
    <ul className="grid" aria-label="Loading images">
      {Array.from({ length: 12 }, (_, n) => (
        <li key={n} className="card card-skeleton" aria-hidden="true">
          <span className="tile shimmer" />
          <span className="line" />
          <span className="line line-short" />
        </li>
      ))}
    </ul>
  );
}
