import type { ReactNode } from "react";

import { useApp } from "../app.ts";
import { CLEANUP_ROUTE, Link } from "../router.tsx";
import { useStore } from "../store.ts";
import { UploadButton } from "../upload/UploadButton.tsx";
import { Icon } from "./Icon.tsx";
import { Logo } from "./Logo.tsx";

/** The bar on top of every view; `children` is what the view puts into it. */
export function Header({ children }: { children: ReactNode }) {
  return (
    <header className="header">
      <Link to="/" className="brand" aria-label="Coverslip, all images">
        <Logo />
        <span className="brand-name">Coverslip</span>
      </Link>
      {children}
      <div className="header-actions">
        <Link to={CLEANUP_ROUTE} className="button" aria-label="Cleanup" title="Plans to remove records whose documents are gone">
          <Icon name="broom" /> <span className="button-label">Cleanup</span>
        </Link>
        <UploadButton />
        <ThemeButton />
      </div>
    </header>
  );
}

function ThemeButton() {
  const { theme } = useApp();
  const chosen = useStore(theme.store);
  const words = { system: "Colours follow the system", light: "Light colours", dark: "Dark colours" }[chosen];
  return (
    <button type="button" className="icon-button" aria-label={`${words}. Change`} title={words} onClick={theme.next}>
      <Icon name={chosen} />
    </button>
  );
}
