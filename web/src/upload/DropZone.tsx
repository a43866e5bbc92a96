import { useEffect, useState } from "react";

import { Problem } from "../api.ts";
import { useApp } from "../app.ts";
import { Icon } from "../parts/Icon.tsx";
import { collect } from "./dropped.ts";

/** The whole page takes files; while some hover over it, it says so. */
export function DropZone() {
  const { uploads, toasts } = useApp();
  const [over, setOver] = useState(false);
  useEffect(() => {
    const hover = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      // leaving one element for another is not leaving the page
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setOver(false);
      collect(event.dataTransfer).then(
        ({ files, zarrFolders }) => {
          uploads.add(files);
          for (const name of zarrFolders) uploads.refuse(new File([], name), zarrProblem(name));
        },
        () => toasts.show("The browser could not read what was dropped.", { tone: "error" }),
      );
    };
    const listeners = { dragenter: hover, dragover: hover, dragleave: leave, drop };
    for (const [type, listener] of Object.entries(listeners)) window.addEventListener(type, listener as EventListener);
    return () => {
      for (const [type, listener] of Object.entries(listeners)) window.removeEventListener(type, listener as EventListener);
    };
  }, [uploads, toasts]);
  if (!over) return null;
  return (
    <div className="drop-overlay">
      <div className="drop-frame">
        <Icon name="upload" />
        <strong>Drop files to add them to the library</strong>
        <span>Folders are walked to their files.</span>
      </div>
    </div>
  );
}

const zarrProblem = (name: string): Problem =>
  new Problem(400, "An OME-Zarr folder cannot be uploaded", `Catalog it where it lies instead: coverslip add …/${name}`);
