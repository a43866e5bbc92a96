import type { ImageStack } from "../api.ts";
import { useApp } from "../app.ts";
import { bytes } from "../format.ts";
import { Icon } from "../parts/Icon.tsx";
import { ProblemText } from "../parts/ProblemText.tsx";
import { imageRoute, Link } from "../router.tsx";
import { isActive, type Upload, type UploadStatus } from "./uploads.ts";

export function UploadRow({ row }: { row: Upload }) {
  const { uploads } = useApp();
  const { file, key, status } = row;
  return (
    <li className={`upload upload-${status.kind}`}>
      <span className="upload-name" title={file.name}>
        {file.name}
      </span>
      <span className="upload-size">{file.size > 0 && bytes(file.size)}</span>
      {isActive(row) && (
        <button type="button" className="icon-button" aria-label={`Cancel ${file.name}`} onClick={() => uploads.cancel(key)}>
          <Icon name="close" />
        </button>
      )}
      {canRetry(status) && (
        <button type="button" className="icon-button" aria-label={`Try ${file.name} again`} onClick={() => uploads.retry(key)}>
          <Icon name="again" />
        </button>
      )}
      <Outcome status={status} name={file.name} />
    </li>
  );
}

/** Another try helps after a lost connection or a server in trouble, not when the file itself was refused. */
function canRetry(status: UploadStatus): boolean {
  if (status.kind === "cancelled") return true;
  return status.kind === "failed" && (status.problem.status === 0 || status.problem.status >= 500);
}

function Outcome({ status, name }: { status: UploadStatus; name: string }) {
  switch (status.kind) {
    case "waiting":
      return <span className="upload-note">Waiting</span>;
    case "cancelled":
      return <span className="upload-note">Cancelled</span>;
    case "sending":
      return <Progress fraction={status.fraction} name={name} />;
    case "failed":
      return (
        <div className="upload-note problem" role="alert">
          <ProblemText problem={status.problem} />
        </div>
      );
    case "done":
      return <Links images={status.images} />;
  }
}

function Progress({ fraction, name }: { fraction: number; name: string }) {
  const percent = Math.floor(fraction * 100);
  if (fraction >= 1) return <span className="upload-note">The server is reading the file…</span>;
  return (
    <span className="upload-progress">
      <progress max={100} value={percent} aria-label={`Upload of ${name}`} />
      <span className="upload-percent">{percent} %</span>
    </span>
  );
}

function Links({ images }: { images: ImageStack[] }) {
  const [first] = images;
  if (!first) return null;
  return (
    <span className="upload-note">
      <Icon name="done" />
      <Link to={imageRoute(first.id)}>{images.length === 1 ? "Show image" : `Show the first of ${images.length} images`}</Link>
    </span>
  );
}
