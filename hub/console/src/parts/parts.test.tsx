import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { describe, expect, it, vi } from "vitest";

import { toProblem } from "../api/problem";
import type { Point } from "../api/types";
import { I18nContext, makeI18n } from "../i18n/i18n";
import { saidKey } from "./gateway-words";
import { Guarded } from "./guarded";
import { DeviceMark, LiveValueText, QualityMark } from "./marks";
import { atLeast } from "./session";
import { QueryState } from "./state";

function show(node: ReactNode) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return render(
    <I18nContext value={makeI18n("en")}>
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

describe("what a gateway says of a fault", () => {
  it.each([
    ["no reply within 300 ms", "said.no_reply"],
    ["the reply cannot be believed: the check sum is wrong", "said.bad_reply"],
    ["exception 2 (illegal data address)", "said.refused"],
    ["the line does not fall silent: something babbles on it", "said.babble"],
    ["the line is lost", "said.line"],
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
