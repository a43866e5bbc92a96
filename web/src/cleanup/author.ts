const KEY = "coverslip.author";

/** The name that somebody gave last in this browser: it goes into plans and the audit log. */
export function rememberedAuthor(): string {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

export function rememberAuthor(name: string): void {
  try {
    if (name) localStorage.setItem(KEY, name);
    else localStorage.removeItem(KEY);
  } catch {
    // a browser that keeps nothing asks again
  }
}
