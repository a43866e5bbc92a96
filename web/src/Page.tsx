import { useEffect } from "react";

import { useApp } from "./app.ts";
import { Detail } from "./detail/Detail.tsx";
import { LibraryView } from "./library/LibraryView.tsx";
import { NotFound } from "./parts/NotFound.tsx";
import { ToastRegion } from "./parts/ToastRegion.tsx";
import { routedImage, usePlace } from "./router.tsx";
import { useStore } from "./store.ts";
import { DropZone } from "./upload/DropZone.tsx";
import { UploadPanel } from "./upload/UploadPanel.tsx";
import { isActive } from "./upload/uploads.ts";

export function Page() {
  const { path } = usePlace();
  useLeaveWarning();
  return (
    <>
      <View path={path} />
      <DropZone />
      <div className="corner">
        <ToastRegion />
        <UploadPanel />
      </div>
    </>
  );
}

function View({ path }: { path: string }) {
  const id = routedImage(path);
  if (id !== null) return <Detail key={id} id={id} />;
  return path === "/" ? <LibraryView /> : <NotFound title="There is no such page" />;
}

/** Leaving the page would end running uploads: the browser asks first. */
function useLeaveWarning(): void {
  const { uploads } = useApp();
  const active = useStore(uploads.store).some(isActive);
  useEffect(() => {
    if (!active) return undefined;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [active]);
}
