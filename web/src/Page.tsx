import { useEffect } from "react";

import { useApp } from "./app.ts";
import { AuditView } from "./cleanup/AuditView.tsx";
import { IncompleteView } from "./cleanup/IncompleteView.tsx";
import { PlanList } from "./cleanup/PlanList.tsx";
import { PlanView } from "./cleanup/PlanView.tsx";
import { Detail } from "./detail/Detail.tsx";
import { LibraryView } from "./library/LibraryView.tsx";
import { NotFound } from "./parts/NotFound.tsx";
import { ToastRegion } from "./parts/ToastRegion.tsx";
import { AUDIT_ROUTE, CLEANUP_ROUTE, INCOMPLETE_ROUTE, routedImage, routedPlan, usePlace } from "./router.tsx";
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
  const plan = routedPlan(path);
  if (plan !== null) return <PlanView key={plan} id={plan} />;
  switch (path) {
    case "/":
      return <LibraryView />;
    case CLEANUP_ROUTE:
      return <PlanList />;
    case INCOMPLETE_ROUTE:
      return <IncompleteView />;
    case AUDIT_ROUTE:
      return <AuditView />;
    default:
      return <NotFound title="There is no such page" />;
  }
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
