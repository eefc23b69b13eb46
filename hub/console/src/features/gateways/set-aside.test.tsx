import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { App } from "antd";
import { expect, it, vi } from "vitest";

import { keys } from "../../api/queries";
import type { Gateway, Role, Session, SetAside, SetAsideContent } from "../../api/types";
import { I18nContext, makeI18n } from "../../i18n/i18n";
import { SetAsidePanel } from "./set-aside";

const remove = vi.hoisted(() => vi.fn());
vi.mock("../../api/client", () => ({ api: { DELETE: remove }, take: (call: Promise<unknown>) => call }));

const at = "2026-01-01T00:00:00Z";
const batch: SetAside = {
  id: "7",
  lane: "live",
  epoch: 1,
  sequence: 12,
  received_at: at,
  reason: "it announces 3 readings and holds 2",
  bytes: 2048,
  sha256: "00",
};
const content: SetAsideContent = {
  batch,
  intact: true,
  readings: 2,
  first: at,
  last: at,
  samples: [
    { at, number: 4, device: "meter", point: "power", value: 21.5, quality: "good" },
    { at, number: 9, device: null, point: null, value: null, quality: "no_reply" },
  ],
  item: null,
  unreadable: null,
  head: "a0",
};

function show(language: "zh" | "en", role: Role, items: SetAside[], inside = content) {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity, retry: false } } });
  client.setQueryData(keys.session, { user: { user: "li", role } } as unknown as Session);
  client.setQueryData([...keys.events("g"), "aside"], {
    pages: [{ items, next: null }],
    pageParams: [undefined],
  });
  client.setQueryData(keys.aside("g", "7"), inside);
  return render(
    <I18nContext value={makeI18n(language)}>
      <QueryClientProvider client={client}>
        <App>
          <SetAsidePanel gateway={{ id: "g" } as Gateway} />
        </App>
      </QueryClientProvider>
    </I18nContext>,
  );
}

it("where nothing was set aside nothing is shown", () => {
  const { container } = show("en", "engineer", []);
  expect(container.textContent).toBe("");
});

it("a batch that was set aside is looked into by the names of its points", async () => {
  show("en", "viewer", [batch]);
  await userEvent.click(screen.getByRole("button", { name: "Look into" }));
  expect(await screen.findByText("meter · power")).toBeTruthy();
  expect(screen.getByText("21.5")).toBeTruthy();
  expect(screen.getByText("number 9 (no known point)")).toBeTruthy();
  expect(screen.getByText("as the gateway told it")).toBeTruthy();
  expect(screen.getByRole("button", { name: "Take away" }).getAttribute("aria-disabled")).toBe("true");
});

it("what cannot be read is shown as bytes under a Chinese sentence", async () => {
  const inside = {
    ...content,
    readings: null,
    samples: [],
    intact: false,
    unreadable: "no CBOR",
    head: "ff".repeat(40),
  };
  show("zh", "viewer", [batch], inside);
  await userEvent.click(screen.getByRole("button", { name: /查\s*看/ }));
  expect(await screen.findByText("内容无法解读，以下是开头的字节。可下载后交给厂家。")).toBeTruthy();
  expect(screen.getByText("与网关给出的校验值不一致：数据在途中或网关上损坏")).toBeTruthy();
  expect(document.querySelector("pre")?.textContent).toBe(
    `${"ff".repeat(16)}\n${"ff".repeat(16)}\n${"ff".repeat(8)}`,
  );
});

it("an engineer takes a batch away after being told that it is for good", async () => {
  remove.mockResolvedValue({});
  show("en", "engineer", [batch]);
  await userEvent.click(screen.getByRole("button", { name: "Look into" }));
  await userEvent.click(await screen.findByRole("button", { name: "Take away" }));
  expect(await screen.findByText(/gone for good/)).toBeTruthy();
  await userEvent.click(screen.getAllByRole("button", { name: "Take away" }).at(-1) as HTMLElement);
  await waitFor(() =>
    expect(remove).toHaveBeenCalledWith("/api/v1/gateways/{id}/quarantine/{batch}", {
      params: { path: { id: "g", batch: "7" } },
    }),
  );
});
