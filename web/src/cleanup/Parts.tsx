import { Fragment, type ReactNode, useId } from "react";

import { moment } from "../format.ts";
import type { PlanHead } from "./documents.ts";
import type { Failure } from "./words.ts";

const STATES: { [state in PlanHead["state"]]: string } = {
  open: "Nothing was removed yet.",
  applied: "Its records are removed. They can be brought back until they are purged.",
  undone: "Its records were removed and brought back.",
  purged: "Its records are gone for good.",
};

export function StateBadge({ state }: { state: PlanHead["state"] }) {
  return (
    <span className={`badge state-${state}`} title={STATES[state]}>
      {state}
    </span>
  );
}

/** A point in time; its own line never breaks. */
export function When({ iso }: { iso: string }) {
  return (
    <time className="when" dateTime={iso}>
      {moment(iso)}
    </time>
  );
}

/** A place in a layout or an identity: it breaks after a slash. */
export function Place({ text }: { text: string }) {
  const parts = text.split("/");
  return parts.map((part, n) => (
    <Fragment key={n}>
      {part}
      {n < parts.length - 1 && (
        <>
          /<wbr />
        </>
      )}
    </Fragment>
  ));
}

/** A person's name, or that nobody gave one. */
export function Who({ name }: { name: string }) {
  return name ? <>{name}</> : <span className="quiet called">no name</span>;
}

/** A wide table: it scrolls in itself, with the keyboard too. */
export function TableFrame({ label, busy = false, children }: { label: string; busy?: boolean; children: ReactNode }) {
  return (
    <div className="table-scroll" role="region" aria-label={label} aria-busy={busy} tabIndex={0}>
      {children}
    </div>
  );
}

export function FailureText({ failed }: { failed: Failure }) {
  return (
    <div className="problem" role="alert">
      <strong className="problem-title">{failed.title}</strong>
      <span>{failed.detail}</span>
    </div>
  );
}

/** Who does it: kept with the plan and in the audit log. */
export function AuthorField({ name, onChange }: { name: string; onChange: (name: string) => void }) {
  const field = useId();
  return (
    <div className="field">
      <label htmlFor={field}>Your name, for the audit log</label>
      <input id={field} className="text-field" value={name} maxLength={256} autoComplete="name" onChange={(event) => onChange(event.target.value)} />
    </div>
  );
}
