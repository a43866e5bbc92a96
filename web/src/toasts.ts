import { Store } from "./store.ts";

export interface Toast {
  key: number;
  text: string;
  tone: "calm" | "error";
  action?: { label: string; run: () => void };
}

/** Short messages at the edge of the page. The view decides how long they stay. */
export class Toasts {
  readonly store = new Store<readonly Toast[]>([]);
  #keys = 0;

  readonly show = (text: string, rest: Partial<Omit<Toast, "key" | "text">> = {}): void => {
    const toast: Toast = { key: ++this.#keys, text, tone: "calm", ...rest };
    this.store.set([...this.store.get().slice(-2), toast]);
  };

  readonly dismiss = (key: number): void => this.store.set(this.store.get().filter((toast) => toast.key !== key));
}
