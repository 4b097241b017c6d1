import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./app/App";
import { applyTheme } from "./app/theme";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/discover.css";
import "./styles/player.css";
import "./styles/controls.css";
import "./styles/stats.css";
import "./styles/recordings.css";
import "./styles/watch.css";
import "./styles/forms.css";
import "./styles/dashboard.css";
import "./styles/studio.css";
import "./styles/stage.css";
import "./styles/program.css";
import "./styles/editor.css";

applyTheme();
const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
