import { useEffect, useId, useRef, useState } from "react";

import { asProblem } from "../api.ts";
import { useApp } from "../app.ts";
import { count } from "../format.ts";
import { Dialog } from "../parts/Dialog.tsx";
import { navigate, planRoute } from "../router.tsx";
import { rememberAuthor, rememberedAuthor } from "./author.ts";
import type { Applied, PlanReport } from "./documents.ts";
import { AuthorField, FailureText } from "./Parts.tsx";
import { doneWords, type Failure, failure, planAgain, records } from "./words.ts";

interface PlanActionsProps {
  report: PlanReport;
  /** Something was done, or it is not known whether. */
  onChange: () => void;
}

/** What can be done with a plan: apply it while it is open, undo it once it is applied, make it again. */
export function PlanActions({ report, onChange }: PlanActionsProps) {
  const { toasts } = useApp();
  const [asking, setAsking] = useState<"apply" | "undo" | null>(null);
  const { plan, totals, complete } = report;
  const box = useRef<HTMLDivElement>(null);
  const shown = useRef(plan.state);
  useEffect(() => {
    // the button that was pressed is gone with the state it belonged to: Tab goes on from here
    if (shown.current !== plan.state) box.current?.focus({ preventScroll: true });
    shown.current = plan.state;
  }, [plan.state]);
  const marks = (plan.counts["incomplete"] ?? 0) + complete;
  const done = (applied: Applied) => {
    setAsking(null);
    toasts.show(doneWords(applied, plan.scope.type));
    onChange();
  };
  const dialog = { report, onClose: () => setAsking(null), onDone: done, onFailure: onChange };
  return (
    <div ref={box} className="plan-actions" role="group" aria-label={`This plan is ${plan.state}`} tabIndex={-1}>
      {plan.state === "open" && (
        <button type="button" className="button button-danger" disabled={totals.rows + marks === 0} onClick={() => setAsking("apply")}>
          Apply…
        </button>
      )}
      {plan.state === "applied" && (
        <button type="button" className="button" onClick={() => setAsking("undo")}>
          Undo…
        </button>
      )}
      <Again report={report} />
      {asking === "apply" && <ApplyDialog {...dialog} />}
      {asking === "undo" && <UndoDialog {...dialog} />}
    </div>
  );
}

/** A plan stands for what was there when it was made: another look makes another plan. */
function Again({ report: { plan } }: { report: PlanReport }) {
  const { cleanup, toasts } = useApp();
  const [busy, setBusy] = useState(false);
  const wanted = planAgain(plan, rememberedAuthor());
  if (wanted === null) return null;
  const make = async () => {
    setBusy(true);
    try {
      navigate(planRoute((await cleanup.make(wanted)).id));
    } catch (error) {
      const { title, detail } = failure("make", asProblem(error));
      toasts.show(`${title}: ${detail}`, { tone: "error" });
    }
    setBusy(false);
  };
  return (
    <button type="button" className="button" disabled={busy} title="Make a new plan with the same scope" onClick={() => void make()}>
      {busy ? "Looking…" : "Look again"}
    </button>
  );
}

interface ActionDialogProps {
  report: PlanReport;
  onClose: () => void;
  onDone: (applied: Applied) => void;
  onFailure: () => void;
}

function useAction(doing: "apply" | "undo", { onDone, onFailure }: ActionDialogProps, run: (author: string) => Promise<Applied>) {
  const { toasts } = useApp();
  const shown = useRef(true);
  const [author, setAuthor] = useState(rememberedAuthor);
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<Failure | null>(null);
  useEffect(() => {
    shown.current = true;
    return () => void (shown.current = false);
  }, []);
  const go = async () => {
    rememberAuthor(author.trim());
    setBusy(true);
    setFailed(null);
    try {
      onDone(await run(author.trim()));
    } catch (error) {
      const said = failure(doing, asProblem(error));
      // who has closed the window meanwhile still has to know
      if (!shown.current) toasts.show(`${said.title}: ${said.detail}`, { tone: "error" });
      setFailed(said);
      setBusy(false);
      onFailure();
    }
  };
  return { author, setAuthor, busy, failed, go };
}

/** Names the number before anything is removed. */
function ApplyDialog(props: ActionDialogProps) {
  const { cleanup } = useApp();
  const { plan, totals, going, complete } = props.report;
  const [allowed, setAllowed] = useState(false);
  const held = totals.rows - going;
  const number = allowed ? totals.rows : going;
  const { author, setAuthor, busy, failed, go } = useAction("apply", props, (name) => cleanup.apply(plan.id, name, allowed ? totals.rows : 0));
  const incomplete = plan.counts["incomplete"] ?? 0;
  const box = useId();
  const words = records(number, plan.scope.type);
  const marks = incomplete + complete > 0;
  return (
    <Dialog title={number > 0 ? `Remove ${words}?` : "Apply this plan?"} onClose={props.onClose}>
      <p>
        {number > 0
          ? "They leave the catalog at once, with what goes along with them. Files of the layout are not touched. Undo brings them back until they are purged."
          : "Nothing is removed."}
      </p>
      {number > 0 && (
        <p className="notice dialog-notice">
          Make a backup of the catalog first: <code>coverslip backup FILE</code>
        </p>
      )}
      {held > 0 && (
        <label className="choice" htmlFor={box}>
          <input id={box} type="checkbox" checked={allowed} onChange={(event) => setAllowed(event.target.checked)} />
          <span>
            I have looked at the {records(held, plan.scope.type)} that the brake holds: remove {held === 1 ? "it" : "them"} too
          </span>
        </label>
      )}
      {marks && (
        <p className="quiet">
          {incomplete > 0 && `${count(incomplete, "incomplete record")} ${incomplete === 1 ? "is" : "are"} marked, and stay${incomplete === 1 ? "s" : ""}. `}
          {complete > 0 && `${count(complete, "record")} that ${complete === 1 ? "was" : "were"} incomplete ${complete === 1 ? "is" : "are"} so no more.`}
        </p>
      )}
      <AuthorField name={author} onChange={setAuthor} />
      {failed && <FailureText failed={failed} />}
      <div className="dialog-buttons">
        <button type="button" className="button" onClick={props.onClose}>
          {failed ? "Close" : "Cancel"}
        </button>
        <button type="button" className="button button-danger" disabled={busy || (number === 0 && !marks)} onClick={() => void go()}>
          {busy ? "Looking once more…" : number > 0 ? `Remove ${words}` : "Apply"}
        </button>
      </div>
    </Dialog>
  );
}

function UndoDialog(props: ActionDialogProps) {
  const { cleanup } = useApp();
  const { plan } = props.report;
  const { author, setAuthor, busy, failed, go } = useAction("undo", props, (name) => cleanup.undo(plan.id, name));
  return (
    <Dialog title="Bring back what this plan removed?" onClose={props.onClose}>
      <p>The same records come back, with their numbers and with what was made of them. Those that came back by themselves stay as they are.</p>
      <AuthorField name={author} onChange={setAuthor} />
      {failed && <FailureText failed={failed} />}
      <div className="dialog-buttons">
        <button type="button" className="button" onClick={props.onClose}>
          {failed ? "Close" : "Cancel"}
        </button>
        <button type="button" className="button button-main" disabled={busy} onClick={() => void go()}>
          {busy ? "Bringing back…" : "Bring back"}
        </button>
      </div>
    </Dialog>
  );
}
