import { useEffect, useState } from "react";

import type { Surroundings } from "../api.ts";
import { useApp } from "../app.ts";
import { IncompleteBadge, IncompleteNotice } from "./Incomplete.tsx";

/** The annotations that are shown with a tomogram, and which of them miss files; nothing for any other image. */
export function AnnotationsSection({ id }: { id: string }) {
  const { api } = useApp();
  const [around, setAround] = useState<Surroundings | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    // what cannot be had is left out: the image itself is what the page is about
    api.surroundings(id, abort.signal).then(setAround, () => setAround(null));
    return () => abort.abort();
  }, [api, id]);
  if (!around?.tomogram) return null;
  return (
    <section className="section">
      <h2>Annotations{around.run ? ` of ${around.run.name}` : ""}</h2>
      {around.tomogram.incomplete_since && <IncompleteNotice what="tomogram" since={around.tomogram.incomplete_since} />}
      {around.annotations.length === 0 ? (
        <p className="quiet">No annotation shares the alignment of this tomogram.</p>
      ) : (
        <div className="table-frame">
          <table>
            <thead>
              <tr>
                <th scope="col">Object</th>
                <th scope="col">Shape</th>
                <th scope="col">Spacing</th>
                <th scope="col">Number</th>
              </tr>
            </thead>
            <tbody>
              {around.annotations.map((one) => (
                <tr key={one.id}>
                  <th scope="row">
                    {one.object_name} {one.incomplete_since && <IncompleteBadge since={one.incomplete_since} />}
                  </th>
                  <td>{one.shapes.join(", ")}</td>
                  <td>{one.voxel_spacing && `${one.voxel_spacing} Å`}</td>
                  <td>{one.id}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
