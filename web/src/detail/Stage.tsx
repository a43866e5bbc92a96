import { useLayoutEffect, useRef, useState } from "react";

import { type ImageStack, thumbnailUrl } from "../api.ts";
import { titles } from "../format.ts";
import { ProblemText } from "../parts/ProblemText.tsx";
import type { PictureState } from "./pictures.ts";
import { ScaleBar } from "./ScaleBar.tsx";
import { extent, pixelsFor } from "./view.ts";

interface StageProps {
  image: ImageStack;
  state: PictureState;
  /** Told how many pixels a picture needs to look sharp here. */
  onPixels: (pixels: number) => void;
  onRetry: () => void;
}

interface Size {
  width: number;
  height: number;
}

/** The dark ground with the picture as large as fits, its scale bar, and what there is to say while it is not there. */
export function Stage({ image, state, onPixels, onRetry }: StageProps) {
  const { stage, size } = useSize();
  const { metadata } = image;
  const pixels = size && pixelsFor(size, metadata, window.devicePixelRatio);
  useLayoutEffect(() => {
    if (pixels) onPixels(pixels);
  }, [pixels, onPixels]);

  const { shown, loading, problem } = state;
  const preview = metadata.thumbnail.state === "fresh" ? thumbnailUrl(image) : null;
  const source = shown?.source ?? preview;
  const box = size && fit(size, extent(metadata));
  const style = box ? { width: box.width, height: box.height } : undefined;
  const pixelated = shown !== null && box !== null && box.width > 2 * shown.width;
  return (
    <div className="stage" ref={stage} aria-busy={loading}>
      {loading && <div className="stage-progress" role="progressbar" aria-label="Drawing the picture" />}
      {source && (
        <div className="picture" style={style}>
          <img
            className={pixelated ? "pixelated" : shown ? undefined : "preview"}
            src={source}
            alt={titles(image).title}
            decoding="sync"
            draggable={false}
          />
          {box && <ScaleBar image={image} width={box.width} />}
        </div>
      )}
      {problem && (
        <div className="stage-problem" role="alert">
          <div className="problem">
            <ProblemText problem={problem} />
          </div>
          <button type="button" className="button" onClick={onRetry}>
            Try again
          </button>
        </div>
      )}
    </div>
  );
}

function fit(stage: Size, [width, height]: [number, number]): Size {
  const scale = Math.min(stage.width / width, stage.height / height);
  return { width: Math.max(Math.round(width * scale), 1), height: Math.max(Math.round(height * scale), 1) };
}

function useSize(): { stage: React.RefObject<HTMLDivElement | null>; size: Size | null } {
  const stage = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<Size | null>(null);
  useLayoutEffect(() => {
    const element = stage.current;
    if (element === null) return undefined;
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { stage, size };
}
