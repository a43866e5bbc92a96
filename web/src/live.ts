import { EVENTS_URL } from "./api.ts";
import { Store } from "./store.ts";

export interface LiveEvent {
  type: string;
  imageId: string;
}

const TYPES = [
  "image.added",
  "image.changed",
  "image.missing",
  "image.found",
  "image.deleted",
  "image.restored",
  "artifact.built",
  "artifact.failed",
];

const POLL_MS = 10_000;

interface Listeners {
  event: (event: LiveEvent) => void;
  /** Something may have been missed: the stream (re)opened or says so, or it is down and this is the regular look. */
  catchUp: () => void;
}

/** The server's stream of events, with a regular look instead while it is down. */
export class Live {
  /** Whether the stream is open. */
  readonly connected = new Store(false);
  readonly #listeners = new Set<Listeners>();
  #source: EventSource | null = null;
  #timer = 0;

  start(): void {
    // a hidden tab gives its connection back: browsers allow six per server, over all tabs
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#disconnect() : this.#connect()));
    if (!document.hidden) this.#connect();
  }

  readonly listen = (listeners: Listeners): (() => void) => {
    this.#listeners.add(listeners);
    return () => this.#listeners.delete(listeners);
  };

  #connect(): void {
    this.#disconnect();
    const source = new EventSource(EVENTS_URL);
    this.#source = source;
    source.onopen = () => {
      this.connected.set(true);
      this.#catchUp();
    };
    source.onerror = () => this.connected.set(false);
    source.addEventListener("reset", () => this.#catchUp());
    for (const type of TYPES) source.addEventListener(type, (message) => this.#hear(type, message));
    this.#timer = window.setInterval(() => this.#look(), POLL_MS);
  }

  #disconnect(): void {
    window.clearInterval(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.connected.set(false);
  }

  #look(): void {
    if (this.#source?.readyState === EventSource.OPEN) return;
    // after an error answer the browser gives up for good; after a broken connection it tries again by itself
    if (this.#source?.readyState === EventSource.CLOSED) this.#connect();
    this.#catchUp();
  }

  #hear(type: string, message: MessageEvent<string>): void {
    const data = JSON.parse(message.data) as { image_id: string };
    for (const { event } of this.#listeners) event({ type, imageId: data.image_id });
  }

  #catchUp(): void {
    for (const { catchUp } of this.#listeners) catchUp();
  }
}
