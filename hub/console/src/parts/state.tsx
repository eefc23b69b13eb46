// A page's four states in one place: loading, error, empty, ready.
import { Skeleton } from "antd";
import type { ReactNode } from "react";

import { useI18n } from "../i18n/i18n";
import { Fault } from "./fault";

/** What is asked of the hub, as far as a page must know. */
export interface Asked<T> {
  data: T | undefined;
  isError: boolean;
  error: unknown;
  refetch: () => unknown;
}

export function QueryState<T>(props: {
  query: Asked<T>;
  empty?: ReactNode;
  isEmpty?: (data: T) => boolean;
  lines?: number;
  children: (data: T) => ReactNode;
}) {
  const { query } = props;
  const { t } = useI18n();
  if (query.data === undefined) {
    if (query.isError) {
      return (
        <div className="st-panel-body">
          <Fault error={query.error} again={() => void query.refetch()} />
        </div>
      );
    }
    return (
      <div className="st-panel-body" aria-busy="true" aria-label={t("state.loading")}>
        <Skeleton active title={false} paragraph={{ rows: props.lines ?? 5 }} />
      </div>
    );
  }
  if (props.empty !== undefined && props.isEmpty?.(query.data)) return props.empty;
  return props.children(query.data);
}
