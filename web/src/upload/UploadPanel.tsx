import { useState } from "react";

import { useApp } from "../app.ts";
import { count } from "../format.ts";
import { Icon } from "../parts/Icon.tsx";
import { useStore } from "../store.ts";
import { UploadRow } from "./UploadRow.tsx";
import { isActive, type Upload } from "./uploads.ts";

/** What is being uploaded and how it went. Sits in a corner, folds away, and never covers the grid as a whole. */
export function UploadPanel() {
  const { uploads } = useApp();
  const rows = useStore(uploads.store);
  const [folded, setFolded] = useState(false);
  if (rows.length === 0) return null;
  const busy = rows.some(isActive);
  return (
    <section className="uploads" aria-label="Uploads">
      <header className="uploads-header">
        <h2>
          <span role="status">{summary(rows)}</span>
        </h2>
        <button
          type="button"
          className="icon-button"
          aria-expanded={!folded}
          aria-label={folded ? "Show uploads" : "Fold uploads away"}
          onClick={() => setFolded(!folded)}
        >
          <Icon name={folded ? "up" : "down"} />
        </button>
        {!busy && (
          <button type="button" className="icon-button" aria-label="Dismiss uploads" onClick={uploads.clear}>
            <Icon name="close" />
          </button>
        )}
      </header>
      {!folded && (
        <ul className="uploads-rows">
          {rows.map((row) => (
            <UploadRow key={row.key} row={row} />
          ))}
        </ul>
      )}
    </section>
  );
}

function summary(rows: readonly Upload[]): string {
  const active = rows.filter(isActive).length;
  const failed = rows.filter(({ status }) => status.kind === "failed").length;
  const done = rows.filter(({ status }) => status.kind === "done").length;
  const parts = [
    ...(active > 0 ? [`Uploading ${count(active, "file")}`] : []),
    ...(done > 0 ? [`${done} uploaded`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ];
  return parts.join(" · ") || "Uploads cancelled";
}
