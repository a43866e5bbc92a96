import { type ReactNode, useEffect, useRef } from "react";

import { Header } from "../parts/Header.tsx";
import { Icon } from "../parts/Icon.tsx";
import { AUDIT_ROUTE, CLEANUP_ROUTE, INCOMPLETE_ROUTE, Link } from "../router.tsx";

const TABS = [
  [CLEANUP_ROUTE, "Plans"],
  [INCOMPLETE_ROUTE, "Incomplete records"],
  [AUDIT_ROUTE, "Audit log"],
] as const;

interface FrameProps {
  title: string;
  /** The address of the tab that is shown; none of them where the view lies below one. */
  tab?: string;
  children: ReactNode;
}

/** What all views of cleanups have around them. */
export function Frame({ title, tab, children }: FrameProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} – Coverslip`;
  }, [title]);
  useEffect(() => {
    window.scrollTo(0, 0);
    // a new view was opened: screen readers say its name, Tab goes on from here
    heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <>
      <Header>
        <nav className="neighbours" aria-label="Library">
          <Link to="/" className="button" aria-label="Library">
            <Icon name="back" /> <span className="button-label">Library</span>
          </Link>
        </nav>
        <h1 ref={heading} tabIndex={-1} className="detail-title">
          {title}
        </h1>
      </Header>
      <main className="cleanup">
        <nav className="tabs" aria-label="Cleanup">
          {TABS.map(([to, words]) => (
            <Link key={to} to={to} className="tab" aria-current={to === tab ? "page" : undefined}>
              {words}
            </Link>
          ))}
        </nav>
        {children}
      </main>
    </>
  );
}
