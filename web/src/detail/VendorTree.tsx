import { useState } from "react";

import type { JsonValue } from "../api.ts";
import { type Branch, entries, isBranch, leafText, size } from "./vendor.ts";

const SHOWN = 200;

/** A JSON document as nested lists that fold. While searching, the way to every match is unfolded. */
export function VendorTree({ value, wanted }: { value: JsonValue; wanted: string }) {
  if (!isBranch(value)) return <Marked text={leafText(value)} wanted={wanted} />;
  return <Children branch={value} wanted={wanted} />;
}

function Children({ branch, wanted }: { branch: Branch; wanted: string }) {
  const [all, setAll] = useState(false);
  const children = entries(branch);
  return (
    <ul className="tree">
      {(all ? children : children.slice(0, SHOWN)).map(([name, value]) => (
        <li key={name}>
          {isBranch(value) ? <Folder name={name} branch={value} wanted={wanted} /> : <Leaf name={name} value={value} wanted={wanted} />}
        </li>
      ))}
      {!all && children.length > SHOWN && (
        <li>
          <button type="button" className="text-button" onClick={() => setAll(true)}>
            Show {children.length - SHOWN} more
          </button>
        </li>
      )}
    </ul>
  );
}

/** Children exist only while the folder is open: documents of thousands of nodes stay light. */
function Folder({ name, branch, wanted }: { name: string; branch: Branch; wanted: string }) {
  const [open, setOpen] = useState(wanted !== "");
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <Marked text={name} wanted={wanted} /> <span className="quiet">{size(branch)}</span>
      </summary>
      {open && <Children branch={branch} wanted={wanted} />}
    </details>
  );
}

function Leaf({ name, value, wanted }: { name: string; value: JsonValue; wanted: string }) {
  return (
    <span className="leaf">
      <span className="leaf-name">
        <Marked text={name} wanted={wanted} />
      </span>
      <span className="leaf-value">
        <Marked text={leafText(value)} wanted={wanted} />
      </span>
    </span>
  );
}

function Marked({ text, wanted }: { text: string; wanted: string }) {
  const at = wanted ? text.toLowerCase().indexOf(wanted) : -1;
  if (at < 0) return text;
  const end = at + wanted.length;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, end)}</mark>
      {text.slice(end)}
    </>
  );
}
