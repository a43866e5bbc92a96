import { useEffect, useState } from "react";

import { useApp } from "../app.ts";
import { useStore } from "../store.ts";
import type { Toast } from "../toasts.ts";
import { Icon } from "./Icon.tsx";

const STAY_MS = 6_000;
const STAY_WITH_ACTION_MS = 12_000;

export function ToastRegion() {
  const { toasts } = useApp();
  return (
    <div className="toasts" role="status" aria-live="polite">
      {useStore(toasts.store).map((toast) => (
        <ToastCard key={toast.key} toast={toast} />
      ))}
    </div>
  );
}

/** Stays as long as somebody points at it or has the keyboard in it. */
function ToastCard({ toast }: { toast: Toast }) {
  const { toasts } = useApp();
  const [held, setHeld] = useState(false);
  const { key, text, tone, action } = toast;
  useEffect(() => {
    if (held) return undefined;
    const timer = setTimeout(() => toasts.dismiss(key), action ? STAY_WITH_ACTION_MS : STAY_MS);
    return () => clearTimeout(timer);
  }, [held, key, action, toasts]);
  const hold = { onMouseEnter: () => setHeld(true), onFocus: () => setHeld(true) };
  const letGo = { onMouseLeave: () => setHeld(false), onBlur: () => setHeld(false) };
  return (
    <div className={`toast toast-${tone}`} {...hold} {...letGo}>
      <span className="toast-text">{text}</span>
      {action && (
        <button
          type="button"
          className="toast-action"
          onClick={() => {
            toasts.dismiss(key);
            action.run();
          }}
        >
          {action.label}
        </button>
      )}
      <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => toasts.dismiss(key)}>
        <Icon name="close" />
      </button>
    </div>
  );
}
