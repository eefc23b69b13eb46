// A list of things: a dense table on a wide window, cards on a narrow one.
import { Pagination, Table, type TableProps } from "antd";
import { useState, type ReactNode } from "react";

import { useNarrow } from "./width";
import "./rows.css";

const AT_ONCE = 100;

export interface Column<T> {
  key: string;
  title: string;
  render: (item: T) => ReactNode;
  /** On a card: the head's left, the head's right, a row with its title, one line of several, or left out. */
  card?: "head" | "side" | "row" | "line" | "none";
  compare?: (a: T, b: T) => number;
  width?: number;
  align?: "right" | "center";
  ellipsis?: boolean;
}

export function Rows<T extends object>(props: {
  items: T[];
  columns: Column<T>[];
  rowKey: (item: T) => string | number;
  label: string;
  selection?: TableProps<T>["rowSelection"];
  foot?: ReactNode;
}) {
  const narrow = useNarrow();
  const [page, setPage] = useState(1);
  if (narrow) {
    const last = Math.max(1, Math.ceil(props.items.length / AT_ONCE));
    const at = Math.min(page, last);
    const shown = props.items.slice((at - 1) * AT_ONCE, at * AT_ONCE);
    const part = (kind: Column<T>["card"]) => props.columns.filter((c) => (c.card ?? "row") === kind);
    return (
      <>
        <div className="st-cards" role="list" aria-label={props.label}>
          {shown.map((item) => (
            <div className="st-card" role="listitem" key={props.rowKey(item)}>
              <div className="st-card-head">
                <span className="st-card-name">
                  {part("head").map((c) => (
                    <span key={c.key}>{c.render(item)}</span>
                  ))}
                </span>
                {part("side").map((c) => (
                  <span key={c.key}>{c.render(item)}</span>
                ))}
              </div>
              {part("line").length > 0 && (
                <div className="st-card-line">
                  {part("line").map((c) => (
                    <span key={c.key}>{c.render(item)}</span>
                  ))}
                </div>
              )}
              <dl className="st-card-rows">
                {part("row").map((c) => (
                  <CardRow key={c.key} title={c.title} value={c.render(item)} />
                ))}
              </dl>
            </div>
          ))}
        </div>
        {last > 1 && (
          <Pagination
            className="st-more"
            simple
            current={at}
            pageSize={AT_ONCE}
            total={props.items.length}
            onChange={setPage}
          />
        )}
        {props.foot}
      </>
    );
  }
  return (
    <>
      <Table<T>
        size="small"
        // A row's own field named "children" is no nested row.
        expandable={{ childrenColumnName: "__none" }}
        aria-label={props.label}
        dataSource={props.items}
        rowKey={props.rowKey}
        pagination={
          props.items.length > AT_ONCE ? { pageSize: AT_ONCE, showSizeChanger: false, size: "small" } : false
        }
        {...(props.selection ? { rowSelection: props.selection } : {})}
        scroll={{ x: "max-content" }}
        showSorterTooltip={false}
        columns={props.columns.map((c) => ({
          key: c.key,
          title: c.title,
          render: (_: unknown, item: T) => c.render(item),
          ...(c.compare ? { sorter: c.compare } : {}),
          ...(c.width ? { width: c.width } : {}),
          ...(c.align ? { align: c.align } : {}),
          ...(c.ellipsis ? { ellipsis: true } : {}),
        }))}
      />
      {props.foot}
    </>
  );
}

function CardRow({ title, value }: { title: string; value: ReactNode }) {
  if (value === null || value === undefined || value === "") return null;
  return (
    <>
      <dt>{title}</dt>
      <dd>{value}</dd>
    </>
  );
}
