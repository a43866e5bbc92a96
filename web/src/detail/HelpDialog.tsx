import { Dialog } from "../parts/Dialog.tsx";
import { SHORTCUTS } from "./useShortcuts.ts";

export function HelpDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl className="shortcuts">
        {SHORTCUTS.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.split(" ").map((key) => (key === "…" ? " … " : <kbd key={key}>{key}</kbd>))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p className="quiet">A slider that has the focus keeps its own arrow keys.</p>
      <div className="dialog-buttons">
        <button type="button" className="button button-main" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
