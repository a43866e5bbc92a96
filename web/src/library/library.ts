import { type Api, asProblem, type ImageStack, isAbort, type Problem } from "../api.ts";
import type { LiveEvent } from "../live.ts";
import { Store } from "../store.ts";

export interface LibraryState {
  q: string;
  images: ImageStack[];
  total: number;
  /** `first`: nothing to show yet; `searching`: the list before is still shown; `failed`: `problem` says why. */
  status: "first" | "searching" | "ready" | "failed";
  more: "idle" | "loading" | "failed";
  problem: Problem | null;
}

const PAGE = 60;
const SETTLE_MS = 250;
const RELOAD_MS = 1500;
const AT_ONCE = 4;

/** The list of images under the present search, kept true as the server tells what happens. */
export class Library {
  readonly store = new Store<LibraryState>({ q: "", images: [], total: 0, status: "first", more: "idle", problem: null });
  /** The image looked at last, to go on from there. */
  visited: string | null = null;
  readonly #api: Api;
  #question = 0;
  #abort = new AbortController();
  #stale = new Set<string>();
  #settling = false;
  #reloading = false;
  #reloadWanted = false;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Shows the images whose name contains `q`. The old list stays until the new one is there. */
  async search(q: string): Promise<void> {
    this.#abort.abort();
    this.#abort = new AbortController();
    const question = ++this.#question;
    const { images } = this.store.get();
    const status = images.length === 0 ? "first" : "searching";
    this.store.update({ q, status, problem: null, more: "idle" });
    try {
      const page = await this.#api.list(0, PAGE, q, this.#abort.signal);
      if (question === this.#question) this.store.update({ images: page.images, total: page.total, status: "ready" });
    } catch (error) {
      if (question !== this.#question || isAbort(error)) return;
      this.store.update({ status: "failed", problem: asProblem(error) });
    }
  }

  readonly retry = (): void => void this.search(this.store.get().q);

  readonly loadMore = async (): Promise<void> => {
    const { q, images, total, status, more } = this.store.get();
    if (status !== "ready" || more === "loading" || images.length >= total) return;
    this.store.update({ more: "loading" });
    const question = this.#question;
    try {
      const page = await this.#api.list(images.length, PAGE, q);
      if (question !== this.#question) return;
      const known = this.store.get().images;
      // the end was reached although more were promised: the list has moved on the server, so read it again
      if (page.images.length === 0) this.reload();
      this.store.update({ images: unique([...known, ...page.images]), total: page.total, more: "idle" });
    } catch {
      if (question === this.#question) this.store.update({ more: "failed" });
    }
  };

  /** Reads what is shown again, soon: many calls make one. */
  readonly reload = (): void => {
    this.#reloadWanted = true;
    if (!this.#reloading) void this.#reload();
  };

  readonly heard = ({ type, imageId }: LiveEvent): void => {
    if (type === "image.added" || type === "image.restored") this.reload();
    else if (type === "image.deleted") this.forget(imageId);
    else if (this.find(imageId)) this.#refreshSoon(imageId);
  };

  readonly find = (id: string): ImageStack | undefined => this.store.get().images.find((image) => image.id === id);

  /** Puts a newer record in the place of the one shown. */
  readonly replace = (image: ImageStack): void => {
    const { images } = this.store.get();
    this.store.update({ images: images.map((old) => (old.id === image.id ? image : old)) });
  };

  /** Takes an image out of the list because it is gone from the library. */
  readonly forget = (id: string): void => {
    const { images, total } = this.store.get();
    const left = images.filter((image) => image.id !== id);
    if (left.length < images.length) this.store.update({ images: left, total: total - 1 });
  };

  #refreshSoon(id: string): void {
    this.#stale.add(id);
    if (this.#settling) return;
    this.#settling = true;
    setTimeout(() => void this.#refresh(), SETTLE_MS);
  }

  async #refresh(): Promise<void> {
    const ids = [...this.#stale];
    this.#stale.clear();
    while (ids.length > 0) await Promise.all(ids.splice(0, AT_ONCE).map((id) => this.#refreshOne(id)));
    this.#settling = false;
    const [late] = this.#stale;
    if (late !== undefined) this.#refreshSoon(late);
  }

  async #refreshOne(id: string): Promise<void> {
    try {
      this.replace(await this.#api.get(id));
    } catch (error) {
      if (asProblem(error).status === 404) this.forget(id);
    }
  }

  async #reload(): Promise<void> {
    this.#reloading = true;
    while (this.#reloadWanted) {
      this.#reloadWanted = false;
      const started = Date.now();
      await this.#readAgain();
      // a long list or a slow server is asked less often
      if (this.#reloadWanted) await pause(Math.max(RELOAD_MS, 3 * (Date.now() - started)));
    }
    this.#reloading = false;
  }

  async #readAgain(): Promise<void> {
    const { q, images, status } = this.store.get();
    if (status === "first" || status === "searching") {
      // what happened may be too new for the answer that is on its way
      this.#reloadWanted = true;
      return;
    }
    const question = this.#question;
    try {
      const fresh: ImageStack[] = [];
      let total = 0;
      do {
        const page = await this.#api.list(fresh.length, PAGE, q);
        if (question !== this.#question) return;
        fresh.push(...page.images);
        total = page.total;
        if (page.images.length === 0) break;
      } while (fresh.length < images.length && fresh.length < total);
      this.store.update({ images: unique(fresh), total, status: "ready", problem: null });
    } catch {
      // the list stays as it is; the live stream or the regular look asks again
    }
  }
}

function unique(images: ImageStack[]): ImageStack[] {
  return [...new Map(images.map((image) => [image.id, image])).values()];
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
