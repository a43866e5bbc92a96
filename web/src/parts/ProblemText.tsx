import type { Problem } from "../api.ts";

/** The server's error in words: title, detail, and the list that came with it, folded where it is long. */
export function ProblemText({ problem }: { problem: Problem }) {
  const { title, detail, errors, type } = problem;
  return (
    <>
      <strong className="problem-title">{title}</strong>
      {detail && <span>{detail}</span>}
      {errors.length === 1 && errors[0] !== detail && <span className="quiet">{errors[0]}</span>}
      {errors.length > 1 && (
        <details className="quiet">
          <summary>{type === "unsupported-format" ? "Supported formats" : "All problems"}</summary>
          <ul className="problem-list">
            {errors.map((error) => (
              <li key={error}>{error}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
