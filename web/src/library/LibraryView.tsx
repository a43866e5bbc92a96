import { useEffect, useLayoutEffect } from "react";

import { useApp } from "../app.ts";
import { count } from "../format.ts";
import { Header } from "../parts/Header.tsx";
import { usePlace } from "../router.tsx";
import { useStore } from "../store.ts";
import { EmptyLibrary, NothingFound, Unreachable } from "./Empty.tsx";
import { Grid, GridSkeleton } from "./Grid.tsx";
import type { LibraryState } from "./library.ts";
import { SearchBox } from "./SearchBox.tsx";

// where the person was in the grid, so that coming back from an image finds the same place
const SCROLL_KEY = "coverslip.scroll";

function useSamePlace(): void {
  const { library } = useApp();
  useLayoutEffect(() => {
    window.scrollTo(0, Number(sessionStorage.getItem(SCROLL_KEY) ?? 0));
    const { visited } = library;
    const card = visited && document.querySelector<HTMLElement>(`[data-image="${CSS.escape(visited)}"]`);
    if (card) {
      card.focus({ preventScroll: true });
      // heights of cards that were never painted are only estimates
      card.scrollIntoView({ block: "nearest" });
    }
    const remember = () => sessionStorage.setItem(SCROLL_KEY, String(window.scrollY));
    window.addEventListener("scroll", remember, { passive: true });
    return () => window.removeEventListener("scroll", remember);
  }, [library]);
}

export function LibraryView() {
  const { library } = useApp();
  const state = useStore(library.store);
  const q = new URLSearchParams(usePlace().search).get("q") ?? "";

  useEffect(() => {
    if (library.store.get().q !== q) void library.search(q);
  }, [library, q]);
  useEffect(() => {
    document.title = q ? `${q} – Coverslip` : "Coverslip";
  }, [q]);
  useSamePlace();

  return (
    <>
      <Header>
        <SearchBox q={q} />
        <span className="count" role="status">
          {state.status === "ready" && counted(state)}
        </span>
      </Header>
      <main className="library" aria-busy={state.status === "first" || state.status === "searching"}>
        <h1 className="hidden-text">Images</h1>
        <Shown state={state} />
      </main>
    </>
  );
}

const counted = ({ q, total }: LibraryState): string => (q ? count(total, "match", "matches") : count(total, "image"));

function Shown({ state }: { state: LibraryState }) {
  const { library } = useApp();
  if (state.status === "first") return <GridSkeleton />;
  if (state.status === "failed" && state.problem) return <Unreachable problem={state.problem} onRetry={library.retry} />;
  if (state.images.length > 0) return <Grid state={state} />;
  return state.q ? <NothingFound q={state.q} /> : <EmptyLibrary />;
}
