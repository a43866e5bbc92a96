import { useEffect, useRef } from "react";

import { useApp } from "../app.ts";
import { titles } from "../format.ts";
import { Header } from "../parts/Header.tsx";
import { NotFound } from "../parts/NotFound.tsx";
import { ProblemText } from "../parts/ProblemText.tsx";
import { Actions } from "./Actions.tsx";
import { MetadataPanel } from "./MetadataPanel.tsx";
import { NeighbourLinks } from "./NeighbourLinks.tsx";
import { useImage } from "./useImage.ts";
import { Viewer } from "./Viewer.tsx";

/** One image: its picture with controls, and what is known about it. */
export function Detail({ id }: { id: string }) {
  const { library } = useApp();
  const { image, problem, retry } = useImage(id);
  const { title, subtitle } = image ? titles(image) : { title: null, subtitle: null };
  const heading = useRef<HTMLHeadingElement>(null);

  useEffect(() => {
    library.visited = id;
    window.scrollTo(0, 0);
    // a new view was opened: screen readers say its name, Tab goes on from here
    heading.current?.focus({ preventScroll: true });
  }, [library, id]);
  useEffect(() => {
    document.title = title ? `${title} – Coverslip` : "Coverslip";
  }, [title]);

  if (problem?.status === 404) {
    return <NotFound title="This image is not in the library" detail="It was deleted, or the link is not quite right." />;
  }
  return (
    <>
      <Header>
        <NeighbourLinks id={id} />
        <h1 ref={heading} tabIndex={-1} className="detail-title" title={title ?? undefined}>
          {title} {subtitle && <span className="detail-subtitle">{subtitle}</span>}
        </h1>
      </Header>
      {problem && !image && (
        <main className="message" role="alert">
          <h2>The image could not be opened</h2>
          <div className="problem">
            <ProblemText problem={problem} />
          </div>
          <button type="button" className="button" onClick={retry}>
            Try again
          </button>
        </main>
      )}
      {image && (
        <main className="detail">
          <Viewer key={image.metadata.revision} image={image} />
          <aside className="facts" aria-label="About this image">
            <Actions image={image} />
            <MetadataPanel image={image} />
          </aside>
        </main>
      )}
    </>
  );
}
