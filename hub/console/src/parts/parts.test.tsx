import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { describe, expect, it, vi } from "vitest";

import { toProblem } from "../api/problem";
import type { Point } from "../api/types";
import { I18nContext, makeI18n, type Language } from "../i18n/i18n";
import { EventDetail } from "./event-detail";
import { saidKey } from "./gateway-words";
import { Guarded } from "./guarded";
import { DeviceMark, LiveValueText, QualityMark } from "./marks";
import { atLeast } from "./session";
import { QueryState } from "./state";

function show(node: ReactNode, language: Language = "en") {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return render(
    <I18nContext value={makeI18n(language)}>
      <QueryClientProvider client={client}>{node}</QueryClientProvider>
    </I18nContext>,
  );
}

function Page({ ask }: { ask: () => Promise<string[]> }) {
  const query = useQuery({ queryKey: ["x"], queryFn: ask });
  return (
    <QueryState query={query} isEmpty={(list) => list.length === 0} empty={<p>nothing here, add one</p>}>
      {(list) => <p>{list.join()}</p>}
    </QueryState>
  );
}

describe("a page", () => {
  it("shows that it loads", () => {
    show(<Page ask={() => new Promise(() => undefined)} />);
    expect(screen.getByLabelText("Loading…")).toBeTruthy();
  });
  it("shows the next step where there is nothing", async () => {
    show(<Page ask={() => Promise.resolve([])} />);
    expect(await screen.findByText("nothing here, add one")).toBeTruthy();
  });
  it("shows what is ready", async () => {
    show(<Page ask={() => Promise.resolve(["a", "b"])} />);
    expect(await screen.findByText("a,b")).toBeTruthy();
  });
  it("shows an error once, and tries again when asked", async () => {
    const ask = vi
      .fn<() => Promise<string[]>>()
      .mockRejectedValueOnce(
        toProblem(new Response(null, { status: 500 }), { type: "/problems/internal", id: "ABC" }),
      )
      .mockResolvedValue(["back"]);
    show(<Page ask={ask} />);
    expect(await screen.findByRole("alert")).toBeTruthy();
    expect(screen.getByText(/ABC/)).toBeTruthy();
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("back")).toBeTruthy();
  });
});

const point = (latest: Point["latest"]): Point =>
  ({
    id: 7,
    unit: "kW",
    kind: "gauge",
    decimals: 1,
    labels: [],
    period_ms: 1000,
    fresh_for_ms: 18_000,
    latest,
  }) as unknown as Point;

describe("a live value", () => {
  it("has its unit", () => {
    const { container } = show(
      <LiveValueText
        point={point({ at: new Date().toISOString(), value: 12.34, quality: "good", stale: false })}
        away={false}
      />,
    );
    expect(container.textContent).toBe("12.3kW");
    expect(container.querySelector("[data-trust=yes]")).toBeTruthy();
  });
  it("past its age is greyed and called stale", () => {
    const old = { at: "2020-01-01T00:00:00Z", value: 12.34, quality: "good", stale: false };
    const { container } = show(
      <>
        <LiveValueText point={point(old)} away={false} />
        <QualityMark point={point(old)} away={false} />
      </>,
    );
    expect(container.querySelector("[data-trust=no]")).toBeTruthy();
    expect(screen.getByText("Stale")).toBeTruthy();
  });
  it("of a gateway that is away is greyed, and so is its device", () => {
    const fresh = { at: new Date().toISOString(), value: 12.34, quality: "good", stale: false };
    const { container } = show(
      <>
        <LiveValueText point={point(fresh)} away />
        <QualityMark point={point(fresh)} away />
        <DeviceMark device={{ silent: false, in_use: true }} gateway={{ state: "offline" }} />
        <DeviceMark device={{ silent: true, in_use: true }} gateway={{ state: "revoked" }} />
      </>,
    );
    expect(container.querySelector("[data-trust=no]")).toBeTruthy();
    for (const word of ["Stale", "Unknown", "Not in use"]) expect(screen.getByText(word)).toBeTruthy();
  });
});

describe("an event", () => {
  const event = (kind: string, facts: Record<string, unknown>, detail = "") => ({
    kind,
    facts,
    detail,
    active: true,
  });
  it.each([
    [event("clock_differs", { ahead_ms: -3_723_999 }), "比服务器慢 1 小时 2 分钟，请校正不准的一方"],
    [
      event("data_missing", { lane: "live", from: 4, to: 9, why: "dropped" }),
      "读数：第 4 至 9 批，送达之前被网关丢弃",
    ],
    [
      event("data_missing", { lane: "live", from: 4, to: 9, why: "forgotten" }),
      "读数：第 4 至 9 批，服务器确认之后从备份恢复，没有这些数据",
    ],
    [
      event("readings_out_of_time", { lane: "live", readings: 7, first: "1970-01-01T00:00:03Z" }),
      "读数：一批中有 7 条，首条的时间为 1970-01-01T00:00:03Z",
    ],
    [event("epoch_began", { epoch: 2, reason: "restored" }), "从备份恢复的数据库，这是第 2 个"],
    [event("gateway_silent", {}, "no connection for longer than the off-delay"), ""],
    [event("device_silent", {}, "chwp-2 on rs485-2 has not answered for three polls"), ""],
    [event("started", {}, "steward-edge 0.1.0"), "steward-edge 0.1.0"],
    [
      event("device_alarm", { object: "supply (analog-input 1)", state: "high-limit" }, "ahu: high-limit"),
      "supply (analog-input 1)：越上限",
    ],
    [
      event("device_alarm", { object: "analog-input 1", state: "fault", text: "传感器断线" }, "ahu: fault"),
      "analog-input 1：故障（传感器断线）",
    ],
    [
      event("number_conflict", {
        what: "device",
        number: "7",
        known: "10.0.0.1:47808",
        other: "10.0.0.2:47808",
      }),
      "设备 7：10.0.0.1:47808 与 10.0.0.2:47808 都自称是它，网关只认前者；请给其中一个改号",
    ],
    [
      event("implausible", { how: "above", point: "power-factor", shows: "2.36", limit: "1.00" }),
      "power-factor 显示 2.36，不可能高于 1.00：请检查设备档案和接线",
    ],
    [{ ...event("implausible", {}, "the values of main can be believed"), active: false }, ""],
    [
      event("counter_held", { how: "jump", point: "energy", shows: "99.5 kWh", total: "11.0 kWh" }),
      "energy 显示 99.5 kWh，与累计值 11.0 kWh 接不上：请先看表，再在网关上用“steward-edge ledger”",
    ],
    [
      event("meter_replaced", { how: "person", point: "energy", from: "5001.0 kWh", to: "12.5 kWh" }),
      "energy 止于 5001.0 kWh，从 12.5 kWh 继续，由人工确认",
    ],
    [
      event("counter_rolled_over", { point: "energy", from: "999 kWh", to: "3 kWh" }),
      "energy 从 999 kWh 变为 3 kWh",
    ],
    [event("device_clock", { how: "behind", seconds: "3900" }), "比网关慢 1 小时 5 分钟，请校时"],
  ])("of the kind $kind tells its facts in Chinese", (event, words) => {
    const { container } = show(<EventDetail event={event} />, "zh");
    expect(container.textContent).toBe(words);
  });
  it.each([
    [event("line_down", {}, "10.0.0.7:502 cannot be used: connection refused"), "线路不通"],
    [event("config_refused", {}, "2 faults, the first: edge.toml:3:1: unknown key"), "网关的原话"],
    [event("data_missing", {}, "live lane: 4 to 9 were dropped by the gateway"), "网关的原话"],
    [event("batch_quarantined", { lane: "live", reason: "x" }, "live lane, sequence 4: x"), "读数"],
  ])("of the kind $kind folds the English words away under a Chinese sentence", (event, sentence) => {
    const { container } = show(<EventDetail event={event} />, "zh");
    expect(container.querySelector("summary")?.textContent).toBe(sentence);
    expect(container.querySelector("details")?.open).toBe(false);
    expect(container.querySelector("[lang=en]")?.textContent).toBe(event.detail);
  });
  it("shows the English words to who reads English", () => {
    const { container } = show(<EventDetail event={event("config_refused", {}, "2 faults")} />);
    expect(container.querySelector("details")?.open).toBe(true);
  });
});

describe("what a gateway says of a fault", () => {
  it.each([
    ["no reply within 300 ms", "said.no_reply"],
    ["the reply cannot be believed: the check sum is wrong", "said.bad_reply"],
    ["exception 2 (illegal data address)", "said.refused"],
    ["the line does not fall silent: something babbles on it", "said.babble"],
    ["the line is lost", "said.line"],
    ["10.0.0.7:502 cannot be used: connection refused", "said.line"],
    ["No such file or directory", "said.line"],
    ["the port was closed", "said.line"],
    [
      "two devices have the instance number 7: 10.0.0.1:47808 is asked, 10.0.0.2:47808 is not; give one of them another",
      "said.number_twice",
    ],
    ["somebody else speaks as station 5; give the gateway or the other another mac", "said.number_twice"],
    ["the token got lost; a station left the line, or two have one mac", "said.token"],
    ["more is asked than the token lets through; raise max_info_frames, or poll more slowly", "said.token"],
    ["100 of 1000 frames are damaged; check termination", "said.bad_reply"],
    ["something that nobody thought of", "said.other"],
  ])("%s", (words, key) => {
    expect(saidKey(words)).toBe(key);
  });
});

it("a button that may not be used says why, to the mouse and to the keyboard, and does nothing", async () => {
  const viewer = { user: { role: "viewer" } } as Parameters<typeof atLeast>[0];
  const act = vi.fn();
  show(
    <Guarded may={atLeast(viewer, "admin")} onClick={act}>
      Revoke
    </Guarded>,
  );
  const button = screen.getByRole<HTMLButtonElement>("button", { name: "Revoke" });
  expect(button.getAttribute("aria-disabled")).toBe("true");
  const described = document.getElementById(button.getAttribute("aria-describedby") ?? "");
  expect(described?.textContent).toBe("Only administrators may do this");
  await userEvent.tab();
  expect(document.activeElement).toBe(button);
  expect((await screen.findByRole("tooltip")).textContent).toBe("Only administrators may do this");
  await userEvent.click(button);
  await userEvent.keyboard("{Enter}");
  expect(act).not.toHaveBeenCalled();
});
