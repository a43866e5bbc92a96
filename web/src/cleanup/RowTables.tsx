import type { ReactNode } from "react";

import { useApp } from "../app.ts";
import type { Kept, Removal, RowPage } from "./documents.ts";
import { Paged } from "./paged.ts";
import { Pager, usePaged } from "./Pager.tsx";
import { Place, TableFrame } from "./Parts.tsx";
import { called, calledRow } from "./words.ts";

const ROWS = 100;

/** Rows that stay, and why. */
export function KeptTable({ id, state }: { id: string; state: "unknown" | "incomplete" }) {
  const { cleanup } = useApp();
  const make = () => new Paged<RowPage<Kept>>((slice) => cleanup.kept(id, state, slice), ROWS);
  const columns = ["Record", "Document", state === "unknown" ? "Why nobody knows" : "What is missing"];
  return (
    <RowTable what={`${state} records`} columns={columns} make={make}>
      {(row) => (
        <tr key={calledRow(row)}>
          <th scope="row">{calledRow(row)}</th>
          <td className="path" title={`${row.layout}/${row.key}`}>
            <Place text={row.key} />
          </td>
          <td className="path">
            <Place text={row.why} />
          </td>
        </tr>
      )}
    </RowTable>
  );
}

/** Rows of one document, and the row that each becomes part of. */
export function DuplicateTable({ id }: { id: string }) {
  const { cleanup } = useApp();
  const make = () => new Paged<RowPage<Removal>>((slice) => cleanup.duplicates(id, slice), ROWS);
  return (
    <RowTable what="duplicates" columns={["Record", "Becomes part of", "Document"]} make={make}>
      {(row) => (
        <tr key={calledRow(row)}>
          <th scope="row">{calledRow(row)}</th>
          <td>{row.merged_into !== null && called(row.type, row.merged_into)}</td>
          <td className="path" title={`${row.layout}/${row.key}`}>
            <Place text={row.key} />
          </td>
        </tr>
      )}
    </RowTable>
  );
}

/** Documents that the catalog lacks. */
export function OrphanTable({ id }: { id: string }) {
  const { cleanup } = useApp();
  const make = () => new Paged<RowPage<string>>((slice) => cleanup.orphans(id, slice), ROWS);
  return (
    <RowTable what="documents" columns={["Document"]} make={make}>
      {(place) => (
        <tr key={place}>
          <td className="path">
            <Place text={place} />
          </td>
        </tr>
      )}
    </RowTable>
  );
}

interface RowTableProps<T> {
  what: string;
  columns: readonly string[];
  make: () => Paged<RowPage<T>>;
  children: (row: T) => ReactNode;
}

function RowTable<T>({ what, columns, make, children }: RowTableProps<T>) {
  const [paged, { page, status }] = usePaged(make);
  return (
    <>
      <TableFrame label={what} busy={status === "loading"}>
        <table className="data-table">
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {page === null && status === "loading" && (
              <tr>
                <td colSpan={columns.length} className="quiet">
                  Loading…
                </td>
              </tr>
            )}
            {page?.rows.map(children)}
          </tbody>
        </table>
      </TableFrame>
      <Pager what={what} unit="rows" paged={paged} shown={page?.rows.length ?? 0} />
    </>
  );
}
