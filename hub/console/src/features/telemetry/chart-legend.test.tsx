import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render } from "@testing-library/react";
import { expect, it } from "vitest";

import { keys } from "../../api/queries";
import type { Point } from "../../api/types";
import { I18nContext, makeI18n } from "../../i18n/i18n";
import { LegendItem } from "./chart-legend";

const latest = (value: number | null, quality = "good") => ({
  at: new Date().toISOString(),
  value,
  quality,
  stale: false,
});
const drawn = {
  id: 7,
  unit: "kW",
  kind: "gauge",
  decimals: 1,
  labels: [],
  period_ms: 1000,
  fresh_for_ms: 3_600_000,
  latest: latest(1),
} as unknown as Point;

it("the legend shows a point's newest value, however long the chart is open", async () => {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity } } });
  const hold = (point: Point) => act(() => Promise.resolve(client.setQueryData(keys.point(7), point)));
  client.setQueryData(keys.point(7), drawn);
  const { container } = render(
    <I18nContext value={makeI18n("en")}>
      <QueryClientProvider client={client}>
        <LegendItem
          point={drawn}
          trace={undefined}
          color="#000"
          label="Power"
          away={false}
          fixed={false}
          growth={false}
          remove={() => undefined}
        />
      </QueryClientProvider>
    </I18nContext>,
  );
  const value = () => container.querySelector(".st-value");
  expect(value()?.textContent).toBe("1.0kW");
  await hold({ ...drawn, latest: latest(2) });
  await expect.poll(() => value()?.textContent).toBe("2.0kW");
  await hold({ ...drawn, latest: latest(null, "no_reply") });
  await expect.poll(() => value()?.getAttribute("data-trust")).toBe("no");
});
