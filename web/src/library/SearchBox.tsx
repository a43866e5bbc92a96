import { useEffect, useRef, useState } from "react";

import { Icon } from "../parts/Icon.tsx";
import { navigate } from "../router.tsx";
import { isTyping } from "../typing.ts";

const SETTLE_MS = 200;

/** Search in names and metadata. What is typed goes into the address, and the address decides what is shown. */
export function SearchBox({ q }: { q: string }) {
  const [text, setText] = useState(q);
  const input = useRef<HTMLInputElement>(null);

  const [followed, follow] = useState(q);
  if (followed !== q) {
    follow(q);
    // the address changed by itself (back, a link): the box follows unless somebody is typing in it
    if (document.activeElement !== input.current) setText(q);
  }

  useEffect(() => {
    const wanted = text.trim();
    if (wanted === q) return undefined;
    const timer = setTimeout(() => {
      navigate(wanted ? `/?q=${encodeURIComponent(wanted)}` : "/", { replace: true });
      window.scrollTo(0, 0);
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [text, q]);

  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      event.preventDefault();
      input.current?.select();
    };
    window.addEventListener("keydown", focus);
    return () => window.removeEventListener("keydown", focus);
  }, []);

  return (
    <search className="search">
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        value={text}
        placeholder="Search names and metadata"
        aria-label="Search images by name or metadata"
        aria-keyshortcuts="/"
        autoComplete="off"
        spellCheck={false}
        maxLength={200}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          if (text) setText("");
          else event.currentTarget.blur();
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </search>
  );
}
