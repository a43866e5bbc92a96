import { useEffect } from "react";

import type { ImageStack } from "../api.ts";
import { useApp } from "../app.ts";
import { titles } from "../format.ts";
import { Icon } from "../parts/Icon.tsx";
import { imageRoute, Link } from "../router.tsx";
import { useStore } from "../store.ts";
import { neighbours } from "./neighbours.ts";
import { libraryRoute } from "./useShortcuts.ts";

/** Back to the library, and the images beside this one in the library's order. */
export function NeighbourLinks({ id }: { id: string }) {
  const { library } = useApp();
  const { images, q } = useStore(library.store);
  const { previous, next } = neighbours(images, id);
  const last = images.length > 0 && next === null && images.at(-1)?.id === id;
  useEffect(() => {
    if (last) void library.loadMore();
  }, [last, library]);
  return (
    <nav className="neighbours" aria-label="Images">
      <Link to={libraryRoute(q)} className="button" aria-label="Library" aria-keyshortcuts="Escape">
        <Icon name="back" /> <span className="button-label">Library</span>
      </Link>
      <Neighbour image={previous} icon="previous" what="Previous image" shortcut="p" />
      <Neighbour image={next} icon="next" what="Next image" shortcut="n" />
    </nav>
  );
}

interface NeighbourProps {
  image: ImageStack | null;
  icon: "previous" | "next";
  what: string;
  shortcut: string;
}

function Neighbour({ image, icon, what, shortcut }: NeighbourProps) {
  if (image === null) {
    return (
      <span className="icon-button disabled" role="img" aria-label={`No ${what.toLowerCase()}`}>
        <Icon name={icon} />
      </span>
    );
  }
  const words = `${what}: ${titles(image).title}`;
  return (
    <Link replace to={imageRoute(image.id)} className="icon-button" aria-label={words} title={words} aria-keyshortcuts={shortcut}>
      <Icon name={icon} />
    </Link>
  );
}
