import { useCallback, useEffect, useState } from "react";

import { asProblem, isAbort, type Problem } from "../api.ts";
import { ProblemText } from "../parts/ProblemText.tsx";

export interface Answer<T> {
  /** The last one there was. */
  answer: T | null;
  problem: Problem | null;
  busy: boolean;
  again: () => void;
}

/** What the server says to one question; `ask` is a callback that changes with the question. */
export function useAnswer<T>(ask: (signal: AbortSignal) => Promise<T>): Answer<T> {
  const [answer, setAnswer] = useState<T | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(true);
  const [attempt, setAttempt] = useState(0);
  const again = useCallback(() => setAttempt((n) => n + 1), []);
  useEffect(() => {
    const abort = new AbortController();
    setBusy(true);
    ask(abort.signal).then(
      (found) => {
        setAnswer(found);
        setProblem(null);
        setBusy(false);
      },
      (error: unknown) => {
        if (isAbort(error)) return;
        setProblem(asProblem(error));
        setBusy(false);
      },
    );
    return () => abort.abort();
  }, [ask, attempt]);
  return { answer, problem, busy, again };
}

/** What went wrong, and a way to try it again. */
export function Unanswered({ problem, again }: { problem: Problem; again: () => void }) {
  return (
    <div className="problem" role="alert">
      <ProblemText problem={problem} />
      <button type="button" className="button" onClick={again}>
        Try again
      </button>
    </div>
  );
}
