import { useState } from "react";

import { useApp } from "../app.ts";
import { bytes } from "../format.ts";
import { Icon } from "../parts/Icon.tsx";
import type { GroupTotals, PlanReport, Removal, RowPage, RowTotals } from "./documents.ts";
import { Paged } from "./paged.ts";
import { Pager, usePaged } from "./Pager.tsx";
import { Place, TableFrame } from "./Parts.tsx";
import { calledRow, dependentWords, groupWords, reasonWords, records } from "./words.ts";

const ROWS = 100;
/** Of a plan with no more rows than this, all groups are open from the start. */
const FEW_ROWS = 100;
const FEW_GROUPS = 10;
const COLUMNS = 8;

const NUMBERS = [
  ["shapes", "Shapes"],
  ["files", "Files"],
  ["authors", "Authors"],
  ["links", "Links"],
] as const;

interface GroupTableProps {
  id: string;
  report: PlanReport;
  paged: Paged<PlanReport>;
}

/** The rows that go, by what they lie in. A group's rows are read when it is opened. */
export function GroupTable({ id, report, paged }: GroupTableProps) {
  const { groups, totals, plan } = report;
  if (totals.rows === 0) return <p className="quiet">Nothing is to be removed.</p>;
  const open = totals.rows <= FEW_ROWS && groups.length <= FEW_GROUPS;
  return (
    <>
      <TableFrame label="Records to remove">
        <table className="data-table plan-table">
          <thead>
            <tr>
              <th scope="col">Record</th>
              <th scope="col">{plan.scope.type === "image" ? "File" : "Document"}</th>
              {NUMBERS.map(([name, words]) => (
                <th key={name} scope="col" className="number">
                  {words}
                </th>
              ))}
              <th scope="col" className="number">
                Artifacts
              </th>
              <th scope="col">What depends on it</th>
            </tr>
          </thead>
          {groups.map((group) => (
            <GroupRows key={group.index} id={id} type={plan.scope.type} group={group} open={open} />
          ))}
        </table>
      </TableFrame>
      <Pager what="groups" unit="groups" paged={paged} shown={groups.length} />
    </>
  );
}

interface GroupRowsProps {
  id: string;
  type: string;
  group: GroupTotals;
  open: boolean;
}

function GroupRows({ id, type, group: { index, group, totals, is_stopped }, open: opened }: GroupRowsProps) {
  const [open, setOpen] = useState(opened);
  return (
    <tbody>
      <tr className="group-head">
        <th scope="rowgroup" colSpan={2}>
          <button type="button" className="disclosure" aria-expanded={open} onClick={() => setOpen(!open)}>
            <Icon name={open ? "down" : "next"} />
            <span>
              {groupWords(group)}: <strong>{records(totals.rows, group.type || type)}</strong>
            </span>
          </button>
          {is_stopped && <span className="badge badge-warning">held by the brake</span>}
          {group.layout !== groupWords(group) && (
            <span className="group-layout quiet">
              <Place text={group.layout} />
            </span>
          )}
        </th>
        <Sums totals={totals} />
        <td />
      </tr>
      {open && <Rows id={id} index={index} expected={totals.rows} what={groupWords(group)} />}
    </tbody>
  );
}

function Sums({ totals }: { totals: RowTotals | Removal }) {
  return (
    <>
      {NUMBERS.map(([name]) => (
        <td key={name} className="number">
          {totals[name].toLocaleString("en")}
        </td>
      ))}
      <td className="number">{bytes(totals.bytes)}</td>
    </>
  );
}

interface RowsProps {
  id: string;
  index: number;
  expected: number;
  what: string;
}

function Rows({ id, index, expected, what }: RowsProps) {
  const { cleanup } = useApp();
  const [paged, { page }] = usePaged<RowPage<Removal>>(() => new Paged((slice) => cleanup.removals(id, index, slice), ROWS));
  return (
    <>
      {page?.rows.map((row) => <Row key={calledRow(row)} row={row} />)}
      {/* as many empty rows as will come, so that nothing below moves when they do */}
      {page === null &&
        Array.from({ length: Math.min(expected, ROWS) }, (_, n) => (
          <tr key={n} aria-hidden="true">
            <td colSpan={COLUMNS} className="quiet">
              {n === 0 ? "Loading…" : "\u00a0"}
            </td>
          </tr>
        ))}
      <PagerRow what={what} paged={paged} shown={page?.rows.length ?? 0} />
    </>
  );
}

function PagerRow({ what, paged, shown }: { what: string; paged: Paged<RowPage<Removal>>; shown: number }) {
  const pager = <Pager what={`the rows of ${what}`} unit="rows" paged={paged} shown={shown} />;
  return (
    <tr className="pager-row">
      <td colSpan={COLUMNS}>{pager}</td>
    </tr>
  );
}

function Row({ row }: { row: Removal }) {
  const reason = reasonWords(row);
  const dependents = dependentWords(row);
  return (
    <tr>
      <th scope="row">{calledRow(row)}</th>
      <td className="path" title={`${row.layout}/${row.key}`}>
        <Place text={row.key} />
        {reason && <span className="badge badge-warning">{reason}</span>}
      </td>
      <Sums totals={row} />
      <td>{dependents.length > 0 ? dependents.join("; ") : <span className="quiet">nothing</span>}</td>
    </tr>
  );
}
