// The frame of a page: its head, its panels, its figures, its empty place.
import type { ReactNode } from "react";

import { useTitle } from "./title";
import "./page.css";

export function PageHead(props: {
  title: ReactNode;
  /** The title without its marks, where it has some. */
  tab?: string;
  sub?: ReactNode;
  crumbs?: ReactNode;
  acts?: ReactNode;
}) {
  useTitle(props.tab ?? (typeof props.title === "string" ? props.title : undefined));
  return (
    <header className="st-head">
      <div className="st-head-text">
        {props.crumbs && <div className="st-crumbs">{props.crumbs}</div>}
        <h1>{props.title}</h1>
        {props.sub && <div className="st-head-sub">{props.sub}</div>}
      </div>
      {props.acts && <div className="st-head-acts">{props.acts}</div>}
    </header>
  );
}

export function Panel(props: { title?: ReactNode; side?: ReactNode; children: ReactNode; padded?: boolean }) {
  return (
    <section className="st-panel">
      {props.title !== undefined && (
        <div className="st-panel-head">
          <h2>{props.title}</h2>
          {props.side}
        </div>
      )}
      {props.padded ? <div className="st-panel-body">{props.children}</div> : props.children}
    </section>
  );
}

export function Stat(props: {
  label: ReactNode;
  value: ReactNode;
  of?: ReactNode;
  note?: ReactNode;
  tone?: string;
}) {
  return (
    <>
      <div className="st-stat-label">{props.label}</div>
      <div className={`st-stat-value ${props.tone ? `st-tone-${props.tone}` : ""}`}>
        {props.value}
        {props.of !== undefined && <small> {props.of}</small>}
      </div>
      {props.note && <div className="st-stat-note">{props.note}</div>}
    </>
  );
}

export function EmptyPlace(props: { title: string; text: string; act?: ReactNode }) {
  return (
    <div className="st-empty">
      <h3>{props.title}</h3>
      <p>{props.text}</p>
      {props.act}
    </div>
  );
}

export function Facts({ rows }: { rows: [label: string, value: ReactNode][] }) {
  return (
    <dl className="st-facts">
      {rows.map(([label, value]) => (
        <Fact key={label} label={label} value={value} />
      ))}
    </dl>
  );
}

function Fact({ label, value }: { label: string; value: ReactNode }) {
  return (
    <>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </>
  );
}
