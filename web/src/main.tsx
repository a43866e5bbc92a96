import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/header.css";
import "./styles/library.css";
import "./styles/upload.css";
import "./styles/detail.css";
import "./styles/metadata.css";
import "./styles/cleanup.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { api } from "./api.ts";
import { type App, AppContext } from "./app.ts";
import { cleanup } from "./cleanup/client.ts";
import { Library } from "./library/library.ts";
import { Live } from "./live.ts";
import { Page } from "./Page.tsx";
import { makeRemove } from "./removal.ts";
import { ThemeChoice } from "./theme.ts";
import { Toasts } from "./toasts.ts";
import { sendFile, Uploads } from "./upload/uploads.ts";

const theme = new ThemeChoice();
const toasts = new Toasts();
const live = new Live();
const library = new Library(api);
const uploads = new Uploads(sendFile, library.reload);
const app: App = { api, cleanup, library, live, theme, toasts, uploads, remove: makeRemove(api, library, toasts) };

live.listen({ event: library.heard, catchUp: library.reload });
live.start();
void library.search(new URLSearchParams(window.location.search).get("q") ?? "");

const root = document.getElementById("page");
if (root === null) throw new Error("index.html has no #page");
createRoot(root).render(
  <StrictMode>
    <AppContext value={app}>
      <Page />
    </AppContext>
  </StrictMode>,
);
