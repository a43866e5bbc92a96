/** A cell pair under a coverslip. */
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect className="logo-glass" x="2" y="2" width="28" height="28" rx="7" />
      <circle className="logo-cell" cx="13" cy="14" r="6.5" />
      <circle className="logo-daughter" cx="20" cy="19" r="6" />
      <circle className="logo-nucleus" cx="14" cy="14" r="2.2" />
    </svg>
  );
}
