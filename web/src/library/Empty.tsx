import type { Problem } from "../api.ts";
import { Icon } from "../parts/Icon.tsx";
import { ProblemText } from "../parts/ProblemText.tsx";
import { Link } from "../router.tsx";
import { UploadButton } from "../upload/UploadButton.tsx";

export function EmptyLibrary() {
  return (
    <div className="message">
      <h2>No images yet</h2>
      <p>Drag files onto this page, or catalog a folder where it lies:</p>
      <pre>
        <code>coverslip add FOLDER</code>
      </pre>
      <p className="quiet">TIFF and OME-TIFF, CZI, ND2, LIF, MRC and OME-Zarr. Files added this way are never moved or changed.</p>
      <UploadButton />
    </div>
  );
}

export function NothingFound({ q }: { q: string }) {
  return (
    <div className="message">
      <h2>Nothing is called “{q}”</h2>
      <p>The search looks at image names and file names.</p>
      <Link to="/" className="button">
        Show all images
      </Link>
    </div>
  );
}

export function Unreachable({ problem, onRetry }: { problem: Problem; onRetry: () => void }) {
  return (
    <div className="message" role="alert">
      <h2>The library could not be read</h2>
      <div className="problem">
        <ProblemText problem={problem} />
      </div>
      <button type="button" className="button" onClick={onRetry}>
        <Icon name="again" /> Try again
      </button>
    </div>
  );
}
