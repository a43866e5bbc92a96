import { useEffect, useState } from "react";

import { Icon } from "../parts/Icon.tsx";
import { ProblemText } from "../parts/ProblemText.tsx";
import { useStore } from "../store.ts";
import { Paged, type PagedState, rangeWords } from "./paged.ts";

/** A list that is made once, starts with its first page, and stops with the component. */
export function usePaged<P extends { total: number }>(make: () => Paged<P>): [Paged<P>, PagedState<P>] {
  const [paged] = useState(make);
  useEffect(() => {
    void paged.go(0);
    return paged.stop;
  }, [paged]);
  return [paged, useStore(paged.store)];
}

interface PagerProps<P extends { total: number }> {
  /** What is leafed through, for those who do not see where the buttons are. */
  what: string;
  /** What a page is counted in. */
  unit: "rows" | "groups" | "lines";
  paged: Paged<P>;
  /** Rows of the present page. */
  shown: number;
}

/** Goes to the page before and after; nothing where one page holds all. Says what went wrong and tries again. */
export function Pager<P extends { total: number }>({ what, unit, paged, shown }: PagerProps<P>) {
  const { skip, page, status, problem } = useStore(paged.store);
  const total = page?.total ?? 0;
  if (status === "failed" && problem !== null) {
    return (
      <div className="problem pager-problem" role="alert">
        <ProblemText problem={problem} />
        <button type="button" className="button" onClick={() => void paged.again()}>
          <Icon name="again" /> Try again
        </button>
      </div>
    );
  }
  if (total <= paged.size && skip === 0) return null;
  return (
    <nav className="pager" aria-label={`Pages of ${what}`}>
      <button type="button" className="icon-button" aria-label={`Previous page of ${what}`} disabled={skip === 0} onClick={paged.previous}>
        <Icon name="previous" />
      </button>
      <span role="status">{rangeWords(skip, shown, total, unit)}</span>
      <button type="button" className="icon-button" aria-label={`Next page of ${what}`} disabled={skip + paged.size >= total} onClick={paged.next}>
        <Icon name="next" />
      </button>
    </nav>
  );
}
