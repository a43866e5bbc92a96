import { asProblem, isAbort, type Problem } from "../api.ts";
import { Store } from "../store.ts";
import type { Slice } from "./client.ts";

export interface PagedState<P> {
  /** How many come before the page that is shown. */
  skip: number;
  /** The page that is shown, and stays shown while another one is on its way. */
  page: P | null;
  status: "loading" | "ready" | "failed";
  problem: Problem | null;
}

/** A long list of which one page is there at a time: as much is drawn of 100,000 rows as of a hundred. */
export class Paged<P extends { total: number }> {
  readonly store = new Store<PagedState<P>>({ skip: 0, page: null, status: "loading", problem: null });
  readonly size: number;
  readonly #fetch: (slice: Slice) => Promise<P>;
  #abort = new AbortController();
  #wanted = 0;

  constructor(fetch: (slice: Slice) => Promise<P>, size: number) {
    this.#fetch = fetch;
    this.size = size;
  }

  /** Shows the page after so many rows. Of two calls the last one wins. */
  async go(skip: number): Promise<void> {
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#wanted = skip;
    this.store.update({ status: "loading", problem: null });
    try {
      const page = await this.#fetch({ skip, limit: this.size, signal: abort.signal });
      if (!abort.signal.aborted) this.store.update({ skip, page, status: "ready" });
    } catch (error) {
      if (!abort.signal.aborted && !isAbort(error)) this.store.update({ status: "failed", problem: asProblem(error) });
    }
  }

  /** Reads the page again that is shown or was asked for last. */
  readonly again = (): Promise<void> => this.go(this.#wanted);

  /** Goes on from the page that was asked for last: two presses go two pages, however slow the server is. */
  readonly next = (): void => {
    const after = this.#wanted + this.size;
    if (after < (this.store.get().page?.total ?? 0)) void this.go(after);
  };

  readonly previous = (): void => void this.go(Math.max(0, this.#wanted - this.size));

  readonly stop = (): void => this.#abort.abort();
}

/** Such as `101–200 of 48,213 rows`. */
export function rangeWords(skip: number, shown: number, total: number, unit: string): string {
  const [first, last, all] = [skip + 1, skip + shown, total].map((n) => n.toLocaleString("en"));
  return shown > 0 ? `${first}–${last} of ${all} ${unit}` : `none of ${all} ${unit}`;
}
