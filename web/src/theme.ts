import { Store } from "./store.ts";

/** What the person chose; `system` follows the operating system and is what is stored as nothing. */
export type Theme = "system" | "light" | "dark";

const KEY = "coverslip.theme";
const ORDER: readonly Theme[] = ["system", "light", "dark"];

export class ThemeChoice {
  readonly store: Store<Theme>;

  constructor() {
    this.store = new Store<Theme>(stored());
    this.#show();
  }

  /** Goes on to the next of system, light, dark. */
  readonly next = (): void => {
    const theme = ORDER[(ORDER.indexOf(this.store.get()) + 1) % ORDER.length] ?? "system";
    this.store.set(theme);
    this.#show();
    try {
      if (theme === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // a browser that keeps nothing still shows the choice until the page is closed
    }
  };

  #show(): void {
    document.documentElement.dataset["theme"] = this.store.get();
  }
}

function stored(): Theme {
  try {
    return ORDER.find((theme) => theme === localStorage.getItem(KEY)) ?? "system";
  } catch {
    return "system";
  }
}
