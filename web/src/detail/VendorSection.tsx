import { useDeferredValue, useEffect, useMemo, useState } from "react";

import { asProblem, type FullMetadata, isAbort, type Problem } from "../api.ts";
import { useApp } from "../app.ts";
import { ProblemText } from "../parts/ProblemText.tsx";
import { prune, size } from "./vendor.ts";
import { VendorTree } from "./VendorTree.tsx";

/** The vendor's own metadata, read only when somebody opens it. */
export function VendorSection({ id, revision }: { id: string; revision: number }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="section vendor" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <h2>Vendor metadata</h2>
      </summary>
      {open && <Document key={revision} id={id} />}
    </details>
  );
}

function Document({ id }: { id: string }) {
  const { api } = useApp();
  const [full, setFull] = useState<FullMetadata | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    api.metadata(id, abort.signal).then(setFull, (error: unknown) => {
      if (!isAbort(error)) setProblem(asProblem(error));
    });
    return () => abort.abort();
  }, [api, id]);
  if (problem) {
    return (
      <div className="problem" role="alert">
        <ProblemText problem={problem} />
      </div>
    );
  }
  if (full === null) return <p className="quiet">Loading…</p>;
  if (size(full.vendor) === 0) return <p className="quiet">The file carries no metadata of its own.</p>;
  return <Searchable vendor={full.vendor} />;
}

function Searchable({ vendor }: { vendor: FullMetadata["vendor"] }) {
  const [text, setText] = useState("");
  const wanted = useDeferredValue(text.trim().toLowerCase());
  const found = useMemo(() => (wanted ? prune(vendor, wanted) : vendor), [vendor, wanted]);
  return (
    <>
      <input
        type="search"
        className="vendor-search"
        value={text}
        placeholder="Find a name or a value"
        aria-label="Find in the vendor metadata"
        onChange={(event) => setText(event.target.value)}
      />
      {found === undefined ? (
        <p className="quiet" role="status">
          Nothing there is called or says “{wanted}”.
        </p>
      ) : (
        // a new search starts with a new tree, so that every match is unfolded
        <VendorTree key={wanted} value={found} wanted={wanted} />
      )}
    </>
  );
}
