import { asProblem, isAbort, type Problem } from "../api.ts";
import { Store } from "../store.ts";

export interface Picture {
  url: string;
  /** Address of the decoded bytes in this browser. */
  source: string;
  width: number;
  height: number;
}

export interface PictureState {
  shown: Picture | null;
  loading: boolean;
  problem: Problem | null;
}

export interface Loading {
  fetch: (url: string, signal: AbortSignal) => Promise<Blob>;
  /** Resolves when the picture can be painted at once. */
  decode: (url: string, blob: Blob) => Promise<Picture>;
  release: (picture: Picture) => void;
}

const KEPT = 40;
const PATIENCE_MS = 600;
const RETRY_SECONDS = 3;

/**
 * The picture of one image, following what is wanted. One request at a time, so that a dragged slider does not flood
 * the server: meanwhile only the last wish counts. A request older than `PATIENCE_MS` is dropped for a newer wish.
 * The picture before stays until the next one is decoded.
 */
export class Pictures {
  readonly store = new Store<PictureState>({ shown: null, loading: true, problem: null });
  readonly #loading: Loading;
  readonly #kept = new Map<string, Picture>();
  #wanted: string | null = null;
  #running: { url: string; since: number; abort: AbortController } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(loading: Loading) {
    this.#loading = loading;
  }

  want(url: string): void {
    if (url === this.#wanted) return;
    this.#wanted = url;
    this.#go();
  }

  readonly retry = (): void => this.#go();

  /** Stops everything and gives the memory back. */
  close(): void {
    clearTimeout(this.#timer);
    this.#running?.abort.abort();
    this.#running = null;
    this.#wanted = null;
    for (const picture of this.#kept.values()) this.#loading.release(picture);
    this.#kept.clear();
  }

  #go(): void {
    clearTimeout(this.#timer);
    const url = this.#wanted;
    if (url === null) return;
    const kept = this.#kept.get(url);
    if (kept) return this.#show(kept);
    this.store.update({ loading: true, problem: null });
    const running = this.#running;
    if (running?.url === url) return;
    const age = running ? Date.now() - running.since : Infinity;
    if (age < PATIENCE_MS) this.#timer = setTimeout(() => this.#go(), PATIENCE_MS - age);
    else void this.#load(url);
  }

  async #load(url: string): Promise<void> {
    this.#running?.abort.abort();
    const abort = new AbortController();
    this.#running = { url, since: Date.now(), abort };
    try {
      const blob = await this.#loading.fetch(url, abort.signal);
      const picture = await this.#loading.decode(url, blob);
      if (abort.signal.aborted) return this.#loading.release(picture);
      this.#keep(picture);
      this.#running = null;
      this.#arrived(picture);
    } catch (error) {
      if (abort.signal.aborted || isAbort(error)) return;
      this.#running = null;
      this.#failed(url, asProblem(error));
    }
  }

  #arrived(picture: Picture): void {
    if (picture.url === this.#wanted) return this.#show(picture);
    // on the way of a moving slider: better than nothing, unless the wanted one is there already
    if (this.store.get().loading) this.store.update({ shown: picture });
    if (this.store.get().loading) this.#go();
  }

  #failed(url: string, problem: Problem): void {
    if (url !== this.#wanted) return this.#go();
    this.store.update({ loading: problem.status === 503, problem });
    // the server is still drawing it
    if (problem.status === 503) this.#timer = setTimeout(() => this.#go(), (problem.retryAfterSeconds ?? RETRY_SECONDS) * 1000);
  }

  #show(picture: Picture): void {
    this.store.set({ shown: picture, loading: false, problem: null });
  }

  #keep(picture: Picture): void {
    this.#kept.set(picture.url, picture);
    for (const [url, old] of this.#kept) {
      if (this.#kept.size <= KEPT) break;
      if (url === this.store.get().shown?.url) continue;
      this.#kept.delete(url);
      this.#loading.release(old);
    }
  }
}

/** Decodes with the browser's own decoder. */
export async function decodeInBrowser(url: string, blob: Blob): Promise<Picture> {
  const source = URL.createObjectURL(blob);
  const image = new Image();
  image.src = source;
  try {
    await image.decode();
  } catch (error) {
    URL.revokeObjectURL(source);
    throw error;
  }
  return { url, source, width: image.naturalWidth, height: image.naturalHeight };
}

export const releaseInBrowser = (picture: Picture): void => URL.revokeObjectURL(picture.source);
