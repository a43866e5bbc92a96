import { createContext, useContext } from "react";

import type { Api, ImageStack } from "./api.ts";
import type { CleanupApi } from "./cleanup/client.ts";
import type { Library } from "./library/library.ts";
import type { Live } from "./live.ts";
import type { ThemeChoice } from "./theme.ts";
import type { Toasts } from "./toasts.ts";
import type { Uploads } from "./upload/uploads.ts";

/** Everything that lives as long as the page, made once in `main.tsx` and handed down. */
export interface App {
  api: Api;
  cleanup: CleanupApi;
  library: Library;
  live: Live;
  theme: ThemeChoice;
  toasts: Toasts;
  uploads: Uploads;
  /** Hides an image, offers to undo it. Resolves to whether the server agreed. */
  remove: (image: ImageStack) => Promise<boolean>;
}

export const AppContext = createContext<App | null>(null);

export function useApp(): App {
  const app = useContext(AppContext);
  if (app === null) throw new Error("no App above this component");
  return app;
}
