import { asProblem, type ImageStack, Problem, UPLOAD_URL, type Uploaded } from "../api.ts";
import { Store } from "../store.ts";

export type UploadStatus =
  | { kind: "waiting" }
  /** `fraction` of the bytes sent; at 1 the server is reading the file. */
  | { kind: "sending"; fraction: number }
  | { kind: "done"; images: ImageStack[] }
  | { kind: "failed"; problem: Problem }
  | { kind: "cancelled" };

export interface Upload {
  key: number;
  file: File;
  status: UploadStatus;
}

/** Sends one file; calls back with the fraction sent; rejects with a `Problem`. */
export type Send = (file: File, onFraction: (fraction: number) => void, signal: AbortSignal) => Promise<Uploaded>;

const AT_ONCE = 2;

/** The queue of uploads of this page, two at a time. It outlives every view. */
export class Uploads {
  readonly store = new Store<readonly Upload[]>([]);
  readonly #send: Send;
  readonly #onDone: () => void;
  readonly #aborts = new Map<number, AbortController>();
  #keys = 0;

  constructor(send: Send, onDone: () => void) {
    this.#send = send;
    this.#onDone = onDone;
  }

  readonly add = (files: Iterable<File>): void => {
    const rows = [...files].map((file): Upload => ({ key: ++this.#keys, file, status: { kind: "waiting" } }));
    this.store.set([...this.store.get(), ...rows]);
    this.#next();
  };

  /** Lists a file that cannot be sent at all, with the reason. */
  readonly refuse = (file: File, problem: Problem): void => {
    this.store.set([...this.store.get(), { key: ++this.#keys, file, status: { kind: "failed", problem } }]);
  };

  readonly cancel = (key: number): void => {
    this.#aborts.get(key)?.abort();
    this.#update(key, { kind: "cancelled" });
    this.#next();
  };

  readonly retry = (key: number): void => {
    this.#update(key, { kind: "waiting" });
    this.#next();
  };

  /** Forgets the rows that are over. */
  readonly clear = (): void => this.store.set(this.store.get().filter(isActive));

  #next(): void {
    const rows = this.store.get();
    const free = AT_ONCE - rows.filter((row) => row.status.kind === "sending").length;
    for (const row of rows.filter(({ status }) => status.kind === "waiting").slice(0, Math.max(free, 0))) void this.#run(row);
  }

  async #run({ key, file }: Upload): Promise<void> {
    const abort = new AbortController();
    this.#aborts.set(key, abort);
    this.#update(key, { kind: "sending", fraction: 0 });
    const show = (status: UploadStatus) => {
      if (!abort.signal.aborted) this.#update(key, status);
    };
    try {
      const answer = await this.#send(file, (fraction) => show({ kind: "sending", fraction }), abort.signal);
      show({ kind: "done", images: answer.images });
      this.#onDone();
    } catch (error) {
      show({ kind: "failed", problem: asProblem(error) });
    }
    if (this.#aborts.get(key) === abort) this.#aborts.delete(key);
    this.#next();
  }

  #update(key: number, status: UploadStatus): void {
    this.store.set(this.store.get().map((row) => (row.key === key ? { ...row, status } : row)));
  }
}

export function isActive({ status }: Upload): boolean {
  return status.kind === "waiting" || status.kind === "sending";
}

/** `XMLHttpRequest`, because `fetch` does not tell how much of a body has been sent. */
export const sendFile: Send = (file, onFraction, signal) =>
  new Promise((resolve, reject) => {
    const form = new FormData();
    form.append("file", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", UPLOAD_URL);
    let begun = false;
    request.upload.onprogress = (event) => {
      begun ||= event.loaded > 0;
      onFraction(event.total > 0 ? event.loaded / event.total : 0);
    };
    request.upload.onload = () => onFraction(1);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText) as Uploaded);
      else reject(Problem.parse(request.status, request.responseText));
    };
    request.onerror = () => reject(begun ? Problem.cutOff() : Problem.unreachable());
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
