import { useState } from "react";

import { downloadUrl, type ImageStack, neuroglancerUrl, type Summary } from "../api.ts";
import { useApp } from "../app.ts";
import { bytes, titles } from "../format.ts";
import { Icon } from "../parts/Icon.tsx";
import { navigate } from "../router.tsx";
import { copyText } from "./clipboard.ts";
import { DeleteDialog } from "./DeleteDialog.tsx";
import { noNeuroglancer } from "./neuroglancer.ts";
import { ShareDialog } from "./ShareDialog.tsx";
import { libraryRoute } from "./useShortcuts.ts";

export function Actions({ image }: { image: ImageStack }) {
  const { library, remove } = useApp();
  const [asking, setAsking] = useState(false);
  const confirmed = async () => {
    setAsking(false);
    if (await remove(image)) navigate(libraryRoute(library.store.get().q));
  };
  return (
    <div className="actions">
      <Download image={image} />
      <CopyLink />
      <OpenInNeuroglancer image={image} />
      <ShareView image={image} />
      <button type="button" className="button danger" onClick={() => setAsking(true)}>
        <Icon name="trash" /> Delete
      </button>
      {asking && (
        <DeleteDialog title={titles(image).title} image={image} onCancel={() => setAsking(false)} onConfirm={() => void confirmed()} />
      )}
    </div>
  );
}

function Download({ image }: { image: ImageStack }) {
  const reason = noDownload(image.metadata);
  if (reason !== null) {
    return (
      <button type="button" className="button" disabled title={reason}>
        <Icon name="download" /> Download
        <span className="hidden-text">: {reason}</span>
      </button>
    );
  }
  return (
    <a className="button" href={downloadUrl(image.id)} download title={`Download the original file, ${bytes(image.metadata.size_bytes)}`}>
      <Icon name="download" /> Download
    </a>
  );
}

function noDownload({ file_format, missing_since }: Summary): string | null {
  if (missing_since !== null) return "The file is no longer where it was.";
  return file_format === "OME-Zarr" ? "An OME-Zarr image is a folder: copy it from where it lies (its path is below)." : null;
}

/** Neuroglancer shows the image from all sides, out of this server too. */
function OpenInNeuroglancer({ image }: { image: ImageStack }) {
  const reason = noNeuroglancer(image.metadata);
  if (reason !== null) {
    return (
      <button type="button" className="button" disabled title={reason}>
        <Icon name="cube" /> Open in Neuroglancer
        <span className="hidden-text">: {reason}</span>
      </button>
    );
  }
  return (
    <a className="button" href={neuroglancerUrl(image.id)} target="_blank" rel="noreferrer" title="With everything that is known around it, from all sides, in a new tab">
      <Icon name="cube" /> Open in Neuroglancer
    </a>
  );
}

/** A short link to the image in Neuroglancer. */
function ShareView({ image }: { image: ImageStack }) {
  const [open, setOpen] = useState(false);
  if (noNeuroglancer(image.metadata) !== null) return null;
  return (
    <>
      <button type="button" className="button" title="Make a short link to the image in Neuroglancer" onClick={() => setOpen(true)}>
        <Icon name="cube" /> Share
      </button>
      {open && <ShareDialog id={image.id} onClose={() => setOpen(false)} />}
    </>
  );
}

/** The address bar spells the view, so the link opens what is being looked at. */
function CopyLink() {
  const { toasts } = useApp();
  const copy = async () => {
    const copied = await copyText(window.location.href);
    if (copied) toasts.show("Link to this view copied");
    else toasts.show("The browser does not let the page copy: take the link from the address bar.", { tone: "error" });
  };
  return (
    <button type="button" className="button" title="Copy a link to this view" onClick={() => void copy()}>
      <Icon name="link" /> Copy link
    </button>
  );
}
