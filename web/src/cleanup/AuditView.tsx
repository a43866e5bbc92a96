import { useCallback } from "react";

import { useApp } from "../app.ts";
import { count } from "../format.ts";
import { Icon } from "../parts/Icon.tsx";
import { ProblemText } from "../parts/ProblemText.tsx";
import { AUDIT_ROUTE, Link, planRoute } from "../router.tsx";
import { useAnswer } from "./answer.tsx";
import { auditPages } from "./audit.ts";
import type { AuditCheck, AuditLine } from "./documents.ts";
import { Frame } from "./Frame.tsx";
import { Paged } from "./paged.ts";
import { Pager, usePaged } from "./Pager.tsx";
import { Place, TableFrame, When, Who } from "./Parts.tsx";
import { called } from "./words.ts";

const LINES = 100;
const PROBLEMS_SHOWN = 20;

/** Who removed and brought back what, and whether the log is as it was written. */
export function AuditView() {
  const { cleanup } = useApp();
  const [paged, { page }] = usePaged(() => new Paged(auditPages(cleanup), LINES));
  const lines = page?.rows ?? [];
  return (
    <Frame title="Audit log" tab={AUDIT_ROUTE}>
      <Chain />
      {page !== null && lines.length === 0 && <p className="quiet">Nothing was removed yet.</p>}
      {lines.length > 0 && (
        <TableFrame label="Lines of the audit log">
          <table className="data-table">
            <thead>
              <tr>
                <th scope="col" className="number">
                  Line
                </th>
                <th scope="col">When</th>
                <th scope="col">Who</th>
                <th scope="col">Action</th>
                <th scope="col">Record</th>
                <th scope="col">Reason</th>
                <th scope="col">Scope</th>
                <th scope="col">Command</th>
                <th scope="col">Plan</th>
              </tr>
            </thead>
            <tbody>
              {lines.map((line) => (
                <Line key={line.seq} line={line} />
              ))}
            </tbody>
          </table>
        </TableFrame>
      )}
      <Pager what="the audit log" unit="lines" paged={paged} shown={lines.length} />
    </Frame>
  );
}

function Line({ line }: { line: AuditLine }) {
  const { type, id, identity } = line.record;
  return (
    <tr id={`line-${line.seq}`}>
      <th scope="row" className="number">
        {line.seq}
      </th>
      <td>
        <When iso={line.at} />
      </td>
      <td>
        <Who name={line.actor} />
      </td>
      <td>{line.action}</td>
      <td className="path">
        {type !== undefined && id !== undefined && <span className="called">{called(type, id)}</span>} <span className="quiet">{identity && <Place text={identity} />}</span>
      </td>
      <td>{line.reason}</td>
      <td className="breakable">{line.scope}</td>
      <td className="breakable">{line.command}</td>
      <td>
        {line.plan_id && (
          <Link to={planRoute(line.plan_id)} className="mono">
            {line.plan_id}
          </Link>
        )}
      </td>
    </tr>
  );
}

/** Whether every line follows from the one before. The whole log is read for it. */
function Chain() {
  const { cleanup } = useApp();
  const ask = useCallback((signal: AbortSignal) => cleanup.checkAudit(signal), [cleanup]);
  const { answer, problem: failed, busy, again } = useAnswer(ask);
  const problem = busy ? null : failed;
  const check = busy || failed !== null ? null : answer;
  const state = check === null ? "" : check.problems.length === 0 ? " chain-whole" : " chain-broken";
  return (
    <section className={`chain${state}`} aria-label="Hash chain">
      <div role="status">
        {check === null && !problem && <p className="quiet">Checking every line…</p>}
        {check !== null && <Verdict check={check} />}
      </div>
      {problem && (
        <div className="problem" role="alert">
          <ProblemText problem={problem} />
        </div>
      )}
      {(check !== null || problem !== null) && (
        <button type="button" className="button" onClick={again}>
          <Icon name="again" /> Check again
        </button>
      )}
    </section>
  );
}

function Verdict({ check: { lines, problems } }: { check: AuditCheck }) {
  const [first] = problems;
  if (first === undefined) {
    return (
      <p>
        <Icon name="done" /> <strong>Verified:</strong> {lines === 1 ? "1 line is as it was" : `${count(lines, "line")} are as they were`} written.
      </p>
    );
  }
  return (
    <>
      <p>
        <Icon name="warning" /> <strong>Broken at line {first.seq}:</strong> the log is not as it was written.
      </p>
      <ul>
        {problems.slice(0, PROBLEMS_SHOWN).map((one) => (
          <li key={`${one.seq} ${one.kind}`}>{one.words}</li>
        ))}
      </ul>
      {problems.length > PROBLEMS_SHOWN && <p>… and {(problems.length - PROBLEMS_SHOWN).toLocaleString("en")} more</p>}
    </>
  );
}
