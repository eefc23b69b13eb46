// Starts the console.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import "./app/app.css";
import { watchPresence } from "./api/presence";
import { App } from "./app/app";

watchPresence(window);

const root = document.getElementById("root");
if (!root) throw new Error("index.html has a #root");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
