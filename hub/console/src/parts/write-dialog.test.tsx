import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { App } from "antd";
import { beforeEach, expect, it, vi } from "vitest";

import type { Point } from "../api/types";
import { I18nContext, makeI18n, type Language } from "../i18n/i18n";
import { WriteDialog } from "./write-dialog";

const post = vi.hoisted(() => vi.fn());
vi.mock("../api/client", () => ({ api: { POST: post }, take: (call: Promise<unknown>) => call }));

const setpoint = {
  id: 7,
  key: "setpoint",
  title: { zh: "送风设定", en: "Supply setpoint" },
  unit: "Cel",
  kind: "gauge",
  decimals: 1,
  labels: [],
  latest: { at: "2026-01-01T00:00:00Z", value: 21.5, quality: "good", stale: false },
  write: { min: 16, max: 30, step: 0.1, time_boxed: true, two_persons: true, priority: 8 },
} as unknown as Point;

const close = vi.fn();
function show(point: Point, language: Language = "en") {
  return render(
    <I18nContext value={makeI18n(language)}>
      <QueryClientProvider client={new QueryClient()}>
        <App>
          <WriteDialog point={point} device="AHU 1" close={close} />
        </App>
      </QueryClientProvider>
    </I18nContext>,
  );
}

beforeEach(() => {
  post.mockReset().mockResolvedValue({ state: "awaiting_approval" });
  close.mockReset();
});

it("says in words what will happen before anything is sent, and can be changed until then", async () => {
  show(setpoint);
  const user = userEvent.setup();
  expect(screen.getByText("16 to 30 °C")).toBeTruthy();
  await user.type(screen.getByLabelText("New value"), "23");
  await user.type(screen.getByLabelText("Reason"), "WO-1");
  await user.click(screen.getByRole("button", { name: "Continue" }));
  expect(await screen.findByText("“Supply setpoint” of AHU 1 changes from 21.5 °C to 23.0 °C.")).toBeTruthy();
  for (const words of [
    /Another person/,
    /brings the old value back/,
    /priority 8/,
    /does not show 21.5 °C/,
  ]) {
    expect(screen.getByText(words)).toBeTruthy();
  }
  expect(post).not.toHaveBeenCalled();
  await user.click(screen.getByRole("button", { name: "Change it" }));
  expect(screen.queryByText(/Another person/)).toBeNull();
  expect(close).not.toHaveBeenCalled();
  await user.click(screen.getByRole("button", { name: "Continue" }));
  await user.click(await screen.findByRole("button", { name: "Send" }));
  await waitFor(() => expect(close).toHaveBeenCalled());
  const [path, { body }] = post.mock.calls[0] as [string, { body: Record<string, unknown> }];
  expect(path).toBe("/api/v1/commands");
  expect(body).toMatchObject({ point: 7, value: 23, why: "WO-1", expected: 21.5 });
  expect(Date.parse(String(body["relinquish_at"]))).toBeGreaterThan(Date.now() + 59 * 60_000);
});

it("wants a value and a reason", async () => {
  show(setpoint);
  await userEvent.click(screen.getByRole("button", { name: "Continue" }));
  expect(await screen.findAllByText("Please fill this in")).toHaveLength(2);
  expect(screen.queryByRole("button", { name: "Send" })).toBeNull();
});

it("speaks Chinese, and leaves out what is not so", async () => {
  const write = { min: null, max: null, step: 1, time_boxed: false, two_persons: false, priority: null };
  show({ ...setpoint, kind: "flag", latest: null, write } as unknown as Point, "zh");
  expect(screen.getByText("一直有效，直到有人再改")).toBeTruthy();
  expect(screen.queryByText(/仅当点位仍显示/)).toBeNull();
});
