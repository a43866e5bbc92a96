import { useCallback, useEffect, useState } from "react";

import { asProblem, type ImageStack, isAbort, type Problem } from "../api.ts";
import { useApp } from "../app.ts";

export interface LoadedImage {
  image: ImageStack | null;
  problem: Problem | null;
  retry: () => void;
}

/** The record of one image: at once what the library list knows, then the server's word, then its changes. */
export function useImage(id: string): LoadedImage {
  const { api, library, live } = useApp();
  const [image, setImage] = useState<ImageStack | null>(() => library.find(id) ?? null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [attempt, setAttempt] = useState(0);
  const again = useCallback(() => setAttempt((n) => n + 1), []);

  useEffect(() => {
    const abort = new AbortController();
    api.get(id, abort.signal).then(
      (found) => {
        setImage(found);
        setProblem(null);
        library.replace(found);
      },
      (error: unknown) => {
        if (!isAbort(error)) setProblem(asProblem(error));
      },
    );
    return () => abort.abort();
  }, [api, library, id, attempt]);

  useEffect(() => {
    const event = ({ imageId }: { imageId: string }) => {
      if (imageId === id) again();
    };
    return live.listen({ event, catchUp: again });
  }, [live, id, again]);

  return { image, problem, retry: again };
}
