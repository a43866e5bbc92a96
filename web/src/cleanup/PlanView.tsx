import type { ReactNode } from "react";

import { useApp } from "../app.ts";
import { count, seconds } from "../format.ts";
import { NotFound } from "../parts/NotFound.tsx";
import type { PlanHead, PlanReport } from "./documents.ts";
import { Frame } from "./Frame.tsx";
import { GroupTable } from "./GroupTable.tsx";
import { Paged } from "./paged.ts";
import { Pager, usePaged } from "./Pager.tsx";
import { StateBadge, When, Who } from "./Parts.tsx";
import { PlanActions } from "./PlanActions.tsx";
import { DuplicateTable, KeptTable, OrphanTable } from "./RowTables.tsx";
import { alongWords, scopeWords, stopWords } from "./words.ts";

const GROUPS = 50;

/** One plan: what it comes to, what can be done with it, and all of its rows. */
export function PlanView({ id }: { id: string }) {
  const { cleanup } = useApp();
  const [paged, { page: report, problem }] = usePaged(() => new Paged((slice) => cleanup.report(id, slice), GROUPS));
  if (problem?.status === 404) {
    return <NotFound title="There is no such plan" detail="The link is not quite right, or it leads to another catalog." />;
  }
  return (
    <Frame title={`Plan ${id}`}>
      {report === null && !problem && <p className="quiet">Loading…</p>}
      {report === null && <Pager what="groups" unit="groups" paged={paged} shown={0} />}
      {report !== null && (
        <>
          <Summary report={report} />
          <PlanActions report={report} onChange={() => void paged.again()} />
          <Brake report={report} />
          <Part id="removals" title="To remove" count={report.totals.rows}>
            {report.totals.rows > 0 && <p className="quiet">Along with them go {alongWords(report.totals)}.</p>}
            <GroupTable id={id} report={report} paged={paged} />
          </Part>
          <Kept report={report} />
        </>
      )}
    </Frame>
  );
}

function Summary({ report: { plan } }: { report: PlanReport }) {
  const { counts } = plan;
  const { rows, requests = 0 } = counts;
  const facts: [string, ReactNode][] = [
    ["State", <StateBadge state={plan.state} />],
    ["Looked at", `${scopeWords(plan.scope)}${rows === undefined ? "" : ` (${rows.toLocaleString("en")})`}`],
    ["Made", <Done iso={plan.created_at} name={plan.actor} />],
    ["Applied", plan.applied_at && <When iso={plan.applied_at} />],
    ["Undone", plan.undone_at && <When iso={plan.undone_at} />],
    ["Asked", requests > 0 && `${count(requests, "request")}, ${seconds((counts["milliseconds"] ?? 0) / 1000)}`],
    ["Made with", plan.command && <code className="breakable">{plan.command}</code>],
  ];
  return (
    <>
      <dl className="plan-facts">
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd className="breakable">{value}</dd>
            </div>
          ))}
      </dl>
      <Tiles counts={counts} />
    </>
  );
}

function Done({ iso, name }: { iso: string; name: string }) {
  return (
    <>
      <When iso={iso} /> by <Who name={name} />
    </>
  );
}

const TILES = [
  ["found", "to remove", "removals"],
  ["unknown", "unknown", "unknown"],
  ["incomplete", "incomplete", "incomplete"],
  ["orphans", "not in the catalog", "orphans"],
  ["stops", "held by the brake", "brake"],
] as const;

/** The numbers of a plan, each leading to its rows. */
function Tiles({ counts }: { counts: PlanHead["counts"] }) {
  return (
    <ul className="tiles">
      {TILES.map(([name, words, target]) => {
        const value = counts[name] ?? 0;
        const content = (
          <>
            <strong>{value.toLocaleString("en")}</strong> {name === "stops" ? (value === 1 ? "scope held by the brake" : "scopes held by the brake") : words}
          </>
        );
        return (
          <li key={name} className={value > 0 ? `count-tile count-${name}` : "count-tile quiet"}>
            {value > 0 ? <a href={`#${target}`}>{content}</a> : <span>{content}</span>}
          </li>
        );
      })}
    </ul>
  );
}

/** Where the brake holds, and what that means. */
function Brake({ report: { plan, stops } }: { report: PlanReport }) {
  const all = plan.counts["stops"] ?? stops.length;
  if (stops.length === 0) return null;
  return (
    <section id="brake" className="notice plan-notice" aria-label="The brake">
      <p>
        <strong>The brake holds in {count(all, "scope")}.</strong> Nothing of {all === 1 ? "it" : "them"} is removed until somebody has looked at the
        records and lets them through.
      </p>
      <ul>
        {stops.map((stop) => (
          <li key={JSON.stringify(stop.group)} className="breakable">
            {stopWords(stop)}
          </li>
        ))}
      </ul>
      {all > stops.length && <p>… and {(all - stops.length).toLocaleString("en")} more</p>}
    </section>
  );
}

/** What stays although something is the matter with it. */
function Kept({ report: { plan, totals } }: { report: PlanReport }) {
  const { id, counts } = plan;
  const [unknown, incomplete, orphans] = [counts["unknown"] ?? 0, counts["incomplete"] ?? 0, counts["orphans"] ?? 0];
  return (
    <>
      {totals.duplicates > 0 && (
        <Part id="duplicates" title="Duplicates" count={totals.duplicates} note="Of those to remove: records of the same document. Each becomes part of the oldest, and whatever points to it points to that.">
          <DuplicateTable id={id} />
        </Part>
      )}
      {unknown > 0 && (
        <Part id="unknown" title="Unknown" count={unknown} note="Nobody could say whether their documents are there. They stay.">
          <KeptTable id={id} state="unknown" />
        </Part>
      )}
      {incomplete > 0 && (
        <Part id="incomplete" title="Incomplete" count={incomplete} note="The document is there and files are not. They are marked when the plan is applied, and never removed.">
          <KeptTable id={id} state="incomplete" />
        </Part>
      )}
      {orphans > 0 && (
        <Part id="orphans" title="Not in the catalog" count={orphans} note={<>Documents in the layout without a record. <code>coverslip import</code> takes them in.</>}>
          <OrphanTable id={id} />
        </Part>
      )}
    </>
  );
}

interface PartProps {
  id: string;
  title: string;
  count: number;
  note?: ReactNode;
  children: ReactNode;
}

function Part({ id, title, count: number, note, children }: PartProps) {
  return (
    <section id={id} className="plan-part" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>
        {title} <span className="quiet">{number.toLocaleString("en")}</span>
      </h2>
      {note && <p className="quiet">{note}</p>}
      {children}
    </section>
  );
}
