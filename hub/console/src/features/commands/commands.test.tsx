import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { App } from "antd";
import type { ReactNode } from "react";
import { expect, it, vi } from "vitest";

import { keys } from "../../api/queries";
import type { Command, CommandStep, Session } from "../../api/types";
import { I18nContext, makeI18n } from "../../i18n/i18n";
import * as can from "./can";
import { CommandActs } from "./command-parts";
import { Story } from "./command-story";
import { readCommandsSearch } from "./commands-search";

const post = vi.hoisted(() => vi.fn());
vi.mock("../../api/client", () => ({ api: { POST: post }, take: (call: Promise<unknown>) => call }));

const command = {
  id: "01963c1e-7a5c-7b3e-8f52-0c6d2f9a1b7e",
  point: {
    id: 7,
    title: { zh: "设定", en: "Setpoint" },
    device_title: { zh: "空调箱", en: "Air handler" },
    unit: "Cel",
    decimals: 1,
    labels: [],
  },
  state: "awaiting_approval",
  reason: null,
  value: 23,
  requester: "li",
  approver: null,
  why: "WO-1",
  relinquish_at: null,
  sent: false,
  given_up: false,
} as unknown as Command;
const who = (user: string, commands = true) =>
  ({ user: { user, commands, role: "viewer" } }) as unknown as Session;

function show(node: ReactNode, session: Session, story?: { command: Command; steps: CommandStep[] }) {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity, retry: false } } });
  client.setQueryData(keys.session, session);
  if (story) client.setQueryData(keys.command(story.command.id), story);
  return render(
    <I18nContext value={makeI18n("en")}>
      <QueryClientProvider client={client}>
        <App>{node}</App>
      </QueryClientProvider>
    </I18nContext>,
  );
}

it("nobody agrees to their own command, nor without the permission", () => {
  expect(can.approve(who("wang"), command).allowed).toBe(true);
  expect(can.approve(who("li"), command)).toEqual({ allowed: false, why: "command.why.own" });
  expect(can.approve(who("wang", false), command).why).toBe("may.command");
  expect(can.end(who("li"), { ...command, state: "relinquished" }).allowed).toBe(false);
  expect(can.end(who("li"), { ...command, given_up: true }).allowed).toBe(false);
});

it("the second person agrees after being told what is sent", async () => {
  post.mockResolvedValue({});
  show(<CommandActs command={command} />, who("wang"));
  await userEvent.click(screen.getByRole("button", { name: "Agree" }));
  expect(await screen.findByText("It is sent at once: Setpoint becomes 23.0 °C")).toBeTruthy();
  await userEvent.click(screen.getAllByRole("button", { name: "Agree" })[1] as HTMLElement);
  expect(post).toHaveBeenCalledWith("/api/v1/commands/{id}/approve", {
    params: { path: { id: command.id } },
  });
});

it("what was sent is given up with a reason", async () => {
  post.mockReset().mockResolvedValue({});
  show(<CommandActs command={{ ...command, state: "confirmed", sent: true }} />, who("wang"));
  await userEvent.click(screen.getByRole("button", { name: "Give up now" }));
  await userEvent.type(await screen.findByLabelText("Why?"), "done");
  await userEvent.click(screen.getAllByRole("button", { name: "Give up now" })[1] as HTMLElement);
  const [path, { body }] = post.mock.calls[0] as [string, { body: unknown }];
  expect([path, body]).toEqual(["/api/v1/commands/{id}/cancel", { why: "done" }]);
});

it("a command's story says step by step who did what and what the point showed", () => {
  const at = "2026-01-01T00:00:00Z";
  const step = (what: string, by: string, facts: object): CommandStep =>
    ({ at, received_at: at, what, who: by, facts }) as CommandStep;
  const steps = [
    step("requested", "li", { why: "WO-1" }),
    step("written", "", { before: 21.5 }),
    step("not_effective", "", { now: 19, reason: "overridden", slots: [null, 19] }),
    step("of_a_newer_hub", "", {}),
  ];
  const told = { ...command, state: "not_effective", reason: "overridden" } as Command;
  show(<Story id={command.id} />, who("viewer", false), { command: told, steps });
  expect(screen.getByText(/· li/)).toBeTruthy();
  expect(screen.getByText("before: 21.5 °C")).toBeTruthy();
  expect(
    screen.getByText("shows 19.0 °C · a higher priority commands it · Priority array: 2: 19.0 °C"),
  ).toBeTruthy();
  expect(screen.getByText("of_a_newer_hub")).toBeTruthy();
});

it("the address keeps of whom the commands are, and nothing that is no id", () => {
  expect(readCommandsSearch({ device: command.id, id: command.id, gateway: "x" })).toEqual({
    device: command.id,
    id: command.id,
  });
});
