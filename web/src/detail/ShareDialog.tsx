import { useId, useState } from "react";

import { asProblem, type Problem, stateIn, type View } from "../api.ts";
import { useApp } from "../app.ts";
import { Dialog } from "../parts/Dialog.tsx";
import { ProblemText } from "../parts/ProblemText.tsx";
import { copyText } from "./clipboard.ts";

/** Makes a short link to an image in Neuroglancer: one that follows every change, or one that is frozen. */
export function ShareDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const { api } = useApp();
  const [pasted, setPasted] = useState("");
  const [frozen, setFrozen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [view, setView] = useState<View | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const field = useId();
  const state = stateIn(pasted.trim());
  const unread = pasted.trim() !== "" && state === null;
  const make = async () => {
    setBusy(true);
    setProblem(null);
    try {
      setView(await api.keepView(id, { is_frozen: frozen, ...(state ? { state } : {}) }));
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  };
  return (
    <Dialog title="Share in Neuroglancer" onClose={onClose}>
      <fieldset className="share-kinds">
        <legend className="hidden-text">What the link shows</legend>
        <label>
          <input type="radio" name={`${field}-kind`} checked={!frozen} onChange={() => setFrozen(false)} /> Follow changes: new annotations appear
        </label>
        <label>
          <input type="radio" name={`${field}-kind`} checked={frozen} onChange={() => setFrozen(true)} /> Frozen: what is there now
        </label>
      </fieldset>
      <label htmlFor={field}>To share what you changed in Neuroglancer, paste its address</label>
      <input id={field} className="share-text" value={pasted} placeholder="optional" onChange={(event) => setPasted(event.target.value)} />
      {unread && (
        <p className="quiet" role="status">
          This is no address of Neuroglancer: it holds no state.
        </p>
      )}
      {problem && (
        <div className="problem" role="alert">
          <ProblemText problem={problem} />
        </div>
      )}
      {view && <MadeLink view={view} />}
      <div className="dialog-buttons">
        <button type="button" className="button" onClick={onClose}>
          Close
        </button>
        <button type="button" className="button" disabled={busy || unread} onClick={() => void make()}>
          Make a link
        </button>
      </div>
    </Dialog>
  );
}

function MadeLink({ view }: { view: View }) {
  const { toasts } = useApp();
  const link = `${window.location.origin}${view.url}`;
  const copy = async () => {
    if (await copyText(link)) toasts.show("Link copied");
    else toasts.show("The browser does not let the page copy: take the link from the field.", { tone: "error" });
  };
  return (
    <div className="share-link">
      <input className="share-text" readOnly value={link} aria-label="The link" onFocus={(event) => event.target.select()} />
      <button type="button" className="button" onClick={() => void copy()}>
        Copy
      </button>
    </div>
  );
}
