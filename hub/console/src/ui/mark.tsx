// A state as a shape and a word: readable without colour.
import type { ReactNode } from "react";
import "./mark.css";

export type Tone = "good" | "warn" | "bad" | "off";

export function Mark({ tone, children, title }: { tone: Tone; children?: ReactNode; title?: string }) {
  return (
    <span className="st-mark" title={title}>
      <Shape tone={tone} />
      {children}
    </span>
  );
}

export function Shape({ tone }: { tone: Tone }) {
  return (
    <svg className={`st-tone-${tone}`} width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
      {tone === "good" && <circle cx="5" cy="5" r="4" fill="currentColor" />}
      {tone === "warn" && <path d="M5 .8 9.6 9.2H.4Z" fill="currentColor" />}
      {tone === "bad" && <rect x="1" y="1" width="8" height="8" fill="currentColor" />}
      {tone === "off" && <circle cx="5" cy="5" r="3.2" fill="none" stroke="currentColor" strokeWidth="1.8" />}
    </svg>
  );
}
