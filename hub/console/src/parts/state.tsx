// A page's four states in one place: loading, error, empty, ready.
import type { UseQueryResult } from "@tanstack/react-query";
import { Skeleton } from "antd";
import type { ReactNode } from "react";

import { useI18n } from "../i18n/i18n";
import { Fault } from "./fault";

export function QueryState<T>(props: {
  query: UseQueryResult<T>;
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
