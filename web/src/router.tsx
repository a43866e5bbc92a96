import type { AnchorHTMLAttributes, MouseEvent, ReactNode } from "react";

import { Store, useStore } from "./store.ts";

/** Where the person is. Two routes need no library. */
export interface Place {
  path: string;
  search: string;
}

const here = (): Place => ({ path: window.location.pathname, search: window.location.search });

const place = new Store<Place>(here());

window.addEventListener("popstate", () => place.set(here()));

export function usePlace(): Place {
  return useStore(place);
}

export function navigate(to: string, { replace = false }: { replace?: boolean } = {}): void {
  if (replace) window.history.replaceState(null, "", to);
  else window.history.pushState(null, "", to);
  place.set(here());
}

/** Writes the view into the address bar without being a new place: nothing re-renders for it. */
export function annotate(search: string): void {
  window.history.replaceState(null, "", `${window.location.pathname}${search}`);
}

export const imageRoute = (id: string): string => `/images/${encodeURIComponent(id)}`;

/** Returns the image id of a detail route, or null elsewhere. */
export function routedImage(path: string): string | null {
  const match = /^\/images\/([^/]+)\/?$/.exec(path);
  return match?.[1] ? decodeURIComponent(match[1]) : null;
}

export const CLEANUP_ROUTE = "/cleanup";
export const AUDIT_ROUTE = "/cleanup/audit";
export const INCOMPLETE_ROUTE = "/cleanup/incomplete";
export const planRoute = (id: string): string => `/cleanup/plans/${encodeURIComponent(id)}`;

/** Returns the id of a plan's route, or null elsewhere. */
export function routedPlan(path: string): string | null {
  const match = /^\/cleanup\/plans\/([^/]+)\/?$/.exec(path);
  return match?.[1] ? decodeURIComponent(match[1]) : null;
}

type LinkProps = AnchorHTMLAttributes<HTMLAnchorElement> & { to: string; replace?: boolean; children: ReactNode };

/** A real link (middle click, copy address) that does not reload the page on a plain click. */
export function Link({ to, replace = false, children, onClick, ...rest }: LinkProps) {
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (event.defaultPrevented || !plain) return;
    event.preventDefault();
    navigate(to, { replace });
  };
  return (
    <a {...rest} href={to} onClick={follow}>
      {children}
    </a>
  );
}
