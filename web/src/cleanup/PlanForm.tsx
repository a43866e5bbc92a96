import { type FormEvent, useEffect, useId, useRef, useState } from "react";

import { asProblem } from "../api.ts";
import { useApp } from "../app.ts";
import { Dialog } from "../parts/Dialog.tsx";
import { navigate, planRoute } from "../router.tsx";
import { rememberAuthor, rememberedAuthor } from "./author.ts";
import { EMPTY_FORM, type PlanForm, planOf } from "./form.ts";
import { AuthorField, FailureText } from "./Parts.tsx";
import { type Failure, failure, PLANNED, plural } from "./words.ts";

/** Asks which records are looked at, has a plan made, and opens it. */
export function PlanFormDialog({ onClose }: { onClose: () => void }) {
  const { cleanup, toasts } = useApp();
  const [form, setForm] = useState<PlanForm>(() => ({ ...EMPTY_FORM, author: rememberedAuthor() }));
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<Failure | null>(null);
  const shown = useRef(true);
  const id = useId();
  useEffect(() => {
    shown.current = true;
    return () => void (shown.current = false);
  }, []);
  const change = (changes: Partial<PlanForm>) => {
    setFailed(null);
    setForm((before) => ({ ...before, ...changes }));
  };
  const make = async (event: FormEvent) => {
    event.preventDefault();
    const plan = planOf(form);
    if (typeof plan === "string") return setFailed({ title: "No plan was made", detail: plan });
    rememberAuthor(form.author.trim());
    setFailed(null);
    setBusy(true);
    try {
      const made = await cleanup.make(plan);
      // who has closed the window meanwhile is told, not taken away from what they look at
      if (shown.current) navigate(planRoute(made.id));
      else toasts.show("The plan is made", { action: { label: "Show", run: () => navigate(planRoute(made.id)) } });
    } catch (error) {
      const said = failure("make", asProblem(error));
      if (shown.current) setFailed(said);
      else toasts.show(`${said.title}: ${said.detail}`, { tone: "error" });
    }
    setBusy(false);
    return undefined;
  };
  return (
    <Dialog title="Make a plan" onClose={onClose}>
      <form className="form" onSubmit={(event) => void make(event)} noValidate>
        <p className="quiet">Looks which records have no metadata document in their layout any more, or which images no file. Nothing is removed.</p>
        <div className="field">
          <label htmlFor={`${id}-type`}>Records</label>
          <select id={`${id}-type`} className="text-field" value={form.type} onChange={(event) => change({ type: event.target.value })}>
            {PLANNED.map((type) => (
              <option key={type} value={type}>
                {type === "record" ? "all records of a layout" : plural(type)}
              </option>
            ))}
          </select>
        </div>
        <fieldset className="form">
          <legend>Where to look</legend>
          <label className="choice">
            <input type="radio" name={`${id}-where`} checked={form.everything} onChange={() => change({ everything: true })} /> The whole catalog
          </label>
          <label className="choice">
            <input type="radio" name={`${id}-where`} checked={!form.everything} onChange={() => change({ everything: false })} /> A part of it, by public
            numbers or its layout
          </label>
          <div className="field-row">
            <NumberField label="Dataset" value={form.dataset} disabled={form.everything} onChange={(dataset) => change({ dataset })} />
            <NumberField label="Run" value={form.run} disabled={form.everything} onChange={(run) => change({ run })} />
            <NumberField label="Voxel spacing" value={form.spacing} disabled={form.everything} onChange={(spacing) => change({ spacing })} />
          </div>
          <div className="field">
            <label htmlFor={`${id}-layout`}>Layout</label>
            <input
              id={`${id}-layout`}
              className="text-field"
              value={form.layout}
              placeholder="/data/portal or s3://bucket/prefix"
              disabled={form.everything}
              spellCheck={false}
              onChange={(event) => change({ layout: event.target.value })}
            />
          </div>
        </fieldset>
        <AuthorField name={form.author} onChange={(author) => change({ author })} />
        {failed && <FailureText failed={failed} />}
        <p className="quiet" role="status">
          {busy && "Listing the layout. That of a large bucket takes a while; you may close this window."}
        </p>
        <div className="dialog-buttons">
          <button type="button" className="button" onClick={onClose}>
            {busy ? "Close" : "Cancel"}
          </button>
          <button type="submit" className="button button-main" disabled={busy}>
            {busy ? "Looking…" : "Make a plan"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface NumberFieldProps {
  label: string;
  value: string;
  disabled: boolean;
  onChange: (value: string) => void;
}

function NumberField({ label, value, disabled, onChange }: NumberFieldProps) {
  const field = useId();
  return (
    <div className="field">
      <label htmlFor={field}>{label}</label>
      <input
        id={field}
        className="text-field"
        inputMode="numeric"
        autoComplete="off"
        value={value}
        disabled={disabled}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
