import { moment } from "../format.ts";

const words = (since: string): string => `Files that its document names have not been there since ${moment(since)}. It is never removed for that.`;

/** Marks a record in a list of which files are not there. */
export function IncompleteBadge({ since }: { since: string }) {
  return (
    <span className="badge badge-warning" title={words(since)}>
      incomplete<span className="hidden-text">. {words(since)}</span>
    </span>
  );
}

export function IncompleteNotice({ what, since }: { what: string; since: string }) {
  return (
    <p className="notice section-notice">
      This {what} is incomplete. {words(since)}
    </p>
  );
}
