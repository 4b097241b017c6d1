import type { ReactNode } from "react";

import { Icon, Mark } from "../ui/icons";
import { Link } from "./router";
import { signOut, useSession } from "./session";
import { toggleTheme, useTheme } from "./theme";

/** Header, skip link and main: what every page stands in. */
export function Shell({ children, current }: { children: ReactNode; current: string }) {
  const session = useSession();
  const theme = useTheme();
  const mark = (page: string): { "aria-current"?: "page" } => (page === current ? { "aria-current": "page" } : {});
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="shell">
        <Link href="/" className="brand" aria-label="Spillway, home">
          <Mark />
          <span>Spillway</span>
        </Link>
        <nav aria-label="Main">
          <Link href="/" {...mark("discover")} className="nav-discover">
            Discover
          </Link>
          {session && (
            <Link href="/dashboard" {...mark("dashboard")}>
              Dashboard
            </Link>
          )}
        </nav>
        <div className="shell-end">
          <button
            type="button"
            className="icon-button"
            aria-label={theme === "dark" ? "Use light colours" : "Use dark colours"}
            onClick={toggleTheme}
          >
            <Icon name={theme === "dark" ? "sun" : "moon"} />
          </button>
          {session && (
            <button type="button" className="button quiet sign-out" onClick={signOut}>
              Sign out
            </button>
          )}
          <Link href="/studio" {...mark("studio")} className="button primary">
            <Icon name="live" />
            <span>Go live</span>
          </Link>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}
