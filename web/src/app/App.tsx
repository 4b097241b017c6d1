import { Component, lazy, Suspense, type ReactNode } from "react";

import { DiscoverPage } from "../pages/discover/DiscoverPage";
import { ErrorNote } from "../ui/ErrorNote";
import { Spinner } from "../ui/Busy";
import { Link, useRoute } from "./router";
import { Shell } from "./Shell";

const WatchPage = lazy(() => import("../pages/watch/WatchPage"));
const StudioPage = lazy(() => import("../pages/studio/StudioPage"));
const DashboardPage = lazy(() => import("../pages/dashboard/DashboardPage"));

export function App() {
  const route = useRoute();
  return (
    <Shell current={route.page}>
      <Boundary key={JSON.stringify(route)}>
        <Suspense fallback={<Spinner label="Loading" />}>
          {route.page === "discover" && <DiscoverPage />}
          {route.page === "watch" && <WatchPage key={route.streamId} streamId={route.streamId} />}
          {route.page === "studio" && <StudioPage key={route.streamId} streamId={route.streamId} />}
          {route.page === "dashboard" && <DashboardPage />}
          {route.page === "unknown" && <NotFound />}
        </Suspense>
      </Boundary>
    </Shell>
  );
}

function NotFound() {
  return (
    <section className="page empty">
      <h1>There is nothing here</h1>
      <p>The address may be mistyped, or the stream is gone.</p>
      <Link href="/" className="button primary">
        See what’s live
      </Link>
    </section>
  );
}

/** A page that throws, or a chunk that didn't load after an update, must not leave a blank screen. */
class Boundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <section className="page">
        <ErrorNote text="This page couldn't be shown." onRetry={() => window.location.reload()} />
      </section>
    );
  }
}
