import { useCallback, useState } from "react";

import { useApp } from "../app.ts";
import { CLEANUP_ROUTE, Link, planRoute } from "../router.tsx";
import { Unanswered, useAnswer } from "./answer.tsx";
import type { PlanHead } from "./documents.ts";
import { Frame } from "./Frame.tsx";
import { StateBadge, TableFrame, When, Who } from "./Parts.tsx";
import { PlanFormDialog } from "./PlanForm.tsx";
import { scopeWords } from "./words.ts";

const FIRST = 50;
const MOST = 1000;

/** All plans, newest first, and a way to make one. */
export function PlanList() {
  const { cleanup } = useApp();
  const [limit, setLimit] = useState(FIRST);
  const [asking, setAsking] = useState(false);
  const ask = useCallback((signal: AbortSignal) => cleanup.plans(limit, signal), [cleanup, limit]);
  const { answer: plans, problem, again } = useAnswer(ask);
  return (
    <Frame title="Cleanup" tab={CLEANUP_ROUTE}>
      <div className="intro">
        <p className="quiet">
          A plan says which records would go because their metadata documents are gone from their layout. Nothing is removed before somebody has
          looked at the plan and applied it; files of a layout are never touched.
        </p>
        <button type="button" className="button button-main" onClick={() => setAsking(true)}>
          Make a plan…
        </button>
      </div>
      {problem && <Unanswered problem={problem} again={again} />}
      {plans === null && !problem && <p className="quiet">Loading…</p>}
      {plans?.length === 0 && <p className="quiet">There are no plans yet.</p>}
      {plans !== null && plans.length > 0 && <PlanTable plans={plans} />}
      {plans !== null && plans.length === limit && limit < MOST && (
        <div className="more">
          <button type="button" className="button" onClick={() => setLimit(MOST)}>
            Show older plans
          </button>
        </div>
      )}
      {asking && <PlanFormDialog onClose={() => setAsking(false)} />}
    </Frame>
  );
}

const NUMBERS = [
  ["found", "To remove"],
  ["unknown", "Unknown"],
  ["incomplete", "Incomplete"],
  ["stops", "Brake holds"],
] as const;

function PlanTable({ plans }: { plans: PlanHead[] }) {
  return (
    <TableFrame label="Plans">
      <table className="data-table">
        <thead>
          <tr>
            <th scope="col">Plan</th>
            <th scope="col">Looked at</th>
            <th scope="col">Made</th>
            <th scope="col">By</th>
            <th scope="col">State</th>
            {NUMBERS.map(([name, words]) => (
              <th key={name} scope="col" className="number">
                {words}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {plans.map((plan) => (
            <tr key={plan.id}>
              <th scope="row">
                <Link to={planRoute(plan.id)} className="mono">
                  {plan.id}
                </Link>
              </th>
              <td className="breakable">{scopeWords(plan.scope)}</td>
              <td>
                <When iso={plan.created_at} />
              </td>
              <td>
                <Who name={plan.actor} />
              </td>
              <td>
                <StateBadge state={plan.state} />
              </td>
              {NUMBERS.map(([name]) => (
                <Count key={name} name={name} value={plan.counts[name] ?? 0} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}

function Count({ name, value }: { name: string; value: number }) {
  const tone = value === 0 ? " quiet" : name === "stops" || name === "unknown" ? " warned" : "";
  return <td className={`number${tone}`}>{value.toLocaleString("en")}</td>;
}
