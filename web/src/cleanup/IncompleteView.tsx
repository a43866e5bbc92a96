import { useCallback, useState } from "react";

import { useApp } from "../app.ts";
import { imageRoute, INCOMPLETE_ROUTE, Link } from "../router.tsx";
import { Unanswered, useAnswer } from "./answer.tsx";
import type { Entity } from "./documents.ts";
import { Frame } from "./Frame.tsx";
import { Place, TableFrame, When } from "./Parts.tsx";
import { called } from "./words.ts";

const RECORDS = 100;

/** All records that are marked as incomplete now, whatever found it: a cleanup, an import. */
export function IncompleteView() {
  const { cleanup } = useApp();
  const [cursor, setCursor] = useState<string | null>(null);
  const ask = useCallback((signal: AbortSignal) => cleanup.incomplete(cursor, RECORDS, signal), [cleanup, cursor]);
  const { answer, problem, again } = useAnswer(ask);
  const found = answer?.entities ?? null;
  const next = answer?.next_cursor ?? null;
  return (
    <Frame title="Incomplete records" tab={INCOMPLETE_ROUTE}>
      <p className="quiet">
        Records whose metadata document is there and whose data files are not. They are never removed; an import or a cleanup that finds the files
        takes the mark off.
      </p>
      {problem && <Unanswered problem={problem} again={again} />}
      {found === null && !problem && <p className="quiet">Loading…</p>}
      {found?.length === 0 && <p className="quiet">No record is incomplete.</p>}
      {found !== null && found.length > 0 && <Table rows={found} />}
      {(cursor !== null || next !== null) && (
        <div className="more more-row">
          <button type="button" className="button" disabled={cursor === null} onClick={() => setCursor(null)}>
            First page
          </button>
          <button type="button" className="button" disabled={next === null} onClick={() => setCursor(next)}>
            Next page
          </button>
        </div>
      )}
    </Frame>
  );
}

function Table({ rows }: { rows: Entity[] }) {
  return (
    <TableFrame label="Incomplete records">
      <table className="data-table">
        <thead>
          <tr>
            <th scope="col">Record</th>
            <th scope="col">Name</th>
            <th scope="col">Identity</th>
            <th scope="col">Incomplete since</th>
            <th scope="col">Image</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id}>
              <th scope="row">{called(row.type, row.id)}</th>
              <td className="breakable">{row.name}</td>
              <td className="path">
                <Place text={row.identity} />
              </td>
              <td>{row.incomplete_since && <When iso={row.incomplete_since} />}</td>
              <td>{row.image_id ? <Link to={imageRoute(row.image_id)}>show</Link> : <span className="quiet">none</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}
