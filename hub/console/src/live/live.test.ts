import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Point } from "../api/types";
import { patchCache } from "./live";
import { patchPoints } from "./patch";
import { LiveStream, SILENCE_MS, type LiveEvent, type Source } from "./stream";

class FakeSource implements Source {
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  private handlers = new Map<string, (event: { data: string }) => void>();
  constructor(readonly url: string) {}
  addEventListener(name: string, handler: (event: { data: string }) => void): void {
    this.handlers.set(name, handler);
  }
  close(): void {
    this.closed = true;
  }
  send(name: string, data: unknown): void {
    this.handlers.get(name)?.({ data: typeof data === "string" ? data : JSON.stringify(data) });
  }
}

let sources: FakeSource[];
let stream: LiveStream;
const last = (): FakeSource => {
  const source = sources.at(-1);
  if (!source) throw new Error("nothing was opened");
  return source;
};

beforeEach(() => {
  vi.useFakeTimers();
  sources = [];
  stream = new LiveStream((url) => {
    const source = new FakeSource(url);
    sources.push(source);
    return source;
  });
});
afterEach(() => {
  stream.stop();
  vi.useRealTimers();
});

describe("the stream", () => {
  it("asks once for all points that are on the page", () => {
    stream.start();
    stream.watch([2, 1]);
    const leave = stream.watch([1, 3]);
    vi.advanceTimersByTime(300);
    expect(last().url).toBe("/api/v1/live?points=1,2,3");
    leave();
    vi.advanceTimersByTime(300);
    expect(last().url).toBe("/api/v1/live?points=1,2");
  });
  it("lets go of the former connection only when the new one stands", () => {
    stream.start();
    const first = last();
    first.onopen?.();
    stream.watch([1]);
    vi.advanceTimersByTime(300);
    expect(first.closed).toBe(false);
    last().onopen?.();
    expect(first.closed).toBe(true);
  });
  it("tells of a loss, tries again, and tells that it is back", () => {
    const heard: LiveEvent["kind"][] = [];
    stream.subscribe((event) => heard.push(event.kind));
    stream.start();
    last().onopen?.();
    expect(stream.getState()).toBe("live");
    last().onerror?.();
    expect(stream.getState()).toBe("lost");
    vi.advanceTimersByTime(1000);
    expect(sources).toHaveLength(2);
    last().onopen?.();
    expect(stream.getState()).toBe("live");
    expect(heard).toEqual(["lost", "resumed"]);
  });
  const swap = (id: number) => {
    stream.watch([id]);
    vi.advanceTimersByTime(300);
  };
  it("keeps no connection but one, however quickly the wishes change", () => {
    stream.start();
    last().onopen?.();
    for (const id of [1, 2, 3]) swap(id);
    expect(sources).toHaveLength(4);
    last().onopen?.();
    expect(sources.filter((s) => !s.closed)).toEqual([last()]);
  });
  it("keeps none when the newest fails, and none when it stops", () => {
    stream.start();
    last().onopen?.();
    for (const id of [1, 2]) swap(id);
    last().onerror?.();
    expect(sources.filter((s) => !s.closed)).toEqual([]);
    vi.advanceTimersByTime(1000);
    last().onopen?.();
    for (const id of [3, 4]) swap(id);
    stream.stop();
    expect(sources.filter((s) => !s.closed)).toEqual([]);
  });
  it("does not count the end of a former connection as a loss", () => {
    stream.start();
    const first = last();
    first.onopen?.();
    swap(1);
    first.onerror?.();
    expect(stream.getState()).toBe("live");
    expect(first.closed).toBe(true);
    expect(last().closed).toBe(false);
  });
  it("that falls silent is lost, whatever it told before, and is taken up again", () => {
    stream.start();
    const first = last();
    first.onopen?.();
    vi.advanceTimersByTime(SILENCE_MS - 1);
    first.send("gateway", { id: "g", state: "online" });
    vi.advanceTimersByTime(SILENCE_MS - 1);
    expect(stream.getState()).toBe("live");
    vi.advanceTimersByTime(1);
    expect(stream.getState()).toBe("lost");
    expect(first.closed).toBe(true);
    vi.advanceTimersByTime(1000);
    last().onopen?.();
    expect(stream.getState()).toBe("live");
  });
  it("that opened and never told anything is lost", () => {
    stream.start();
    last().onopen?.();
    vi.advanceTimersByTime(SILENCE_MS);
    expect(stream.getState()).toBe("lost");
  });
  it("is lost when one with other wishes does not open, though the former stands", () => {
    stream.start();
    last().onopen?.();
    swap(1);
    vi.advanceTimersByTime(SILENCE_MS);
    expect(stream.getState()).toBe("lost");
    expect(sources.filter((s) => !s.closed)).toEqual([]);
  });
  it("waits longer each time, whatever the page wishes meanwhile", () => {
    stream.start();
    last().onerror?.();
    swap(1);
    expect(sources).toHaveLength(1);
    vi.advanceTimersByTime(1000);
    expect(sources).toHaveLength(2);
    expect(last().url).toBe("/api/v1/live?points=1");
  });
  it("of a hidden tab is not tried again before it is seen", () => {
    stream.start();
    stream.setHidden(true);
    last().onerror?.();
    vi.advanceTimersByTime(120_000);
    expect(sources).toHaveLength(1);
    stream.setHidden(false);
    expect(sources).toHaveLength(2);
  });
  it("survives what it does not understand", () => {
    stream.start();
    expect(() => last().send("value", "no json")).not.toThrow();
  });
  it("of a hidden tab is let go and taken up again; that is no loss, yet what was missed is asked for", () => {
    const heard: LiveEvent["kind"][] = [];
    stream.subscribe((event) => heard.push(event.kind));
    const states: string[] = [];
    stream.onState(() => states.push(stream.getState()));
    stream.start();
    last().onopen?.();
    stream.setHidden(true);
    vi.advanceTimersByTime(31_000);
    expect(last().closed).toBe(true);
    stream.setHidden(false);
    expect(sources).toHaveLength(2);
    last().onopen?.();
    expect(states).not.toContain("lost");
    expect(heard).toEqual(["resumed"]);
  });
});

const held = {
  id: 1,
  key: "p",
  latest: { at: "2026-03-01T00:00:02Z", value: 1, quality: "good", stale: false },
} as Point;

describe("a live value", () => {
  it("newer than what is shown takes its place", () => {
    const value = { point: 1, at: "2026-03-01T00:00:03Z", value: 5, quality: "good" };
    expect(patchPoints([held], new Map([[1, value]]))[0]?.latest?.value).toBe(5);
  });
  it("older than what is shown, or of another point, changes nothing", () => {
    const old = { point: 1, at: "2026-03-01T00:00:01Z", value: 5, quality: "good" };
    const list = [held];
    expect(patchPoints(list, new Map([[1, old]]))).toBe(list);
    expect(patchPoints(list, new Map([[2, { ...old, point: 2 }]]))).toBe(list);
  });
  it("is put into every list that holds its point, once for many values", () => {
    const client = new QueryClient();
    client.setQueryData(["points", "of", "d"], [held]);
    client.setQueryData(["points", "one", 1], held);
    const stop = patchCache(stream, client);
    stream.start();
    for (let i = 3; i < 9; i += 1)
      last().send("value", { point: 1, at: `2026-03-01T00:00:0${i}Z`, value: i, quality: "good" });
    vi.advanceTimersByTime(250);
    expect(client.getQueryData<Point[]>(["points", "of", "d"])?.[0]?.latest?.value).toBe(8);
    expect(client.getQueryData<Point>(["points", "one", 1])?.latest?.value).toBe(8);
    stop();
    client.clear();
  });
});

describe("what happens at the hub", () => {
  const asked = (name: string, data: unknown, times = 1) => {
    const client = new QueryClient();
    const invalidate = vi.spyOn(client, "invalidateQueries").mockResolvedValue(undefined);
    const stop = patchCache(stream, client);
    stream.start();
    for (let i = 0; i < times; i += 1) last().send(name, data);
    vi.advanceTimersByTime(1000);
    stop();
    return invalidate.mock.calls.map(([filter]) => filter?.queryKey);
  };
  it("is asked for once, and only of the gateway that told it", () => {
    expect(asked("event", { gateway: "g" }, 20)).toEqual([["events", "g"], ["devices"], ["device"]]);
  });
  it("to a fleet that blinks for a minute asks for its list every other second", () => {
    const client = new QueryClient();
    const invalidate = vi.spyOn(client, "invalidateQueries").mockResolvedValue(undefined);
    const stop = patchCache(stream, client);
    stream.start();
    for (let i = 0; i < 600; i += 1) {
      last().send("gateway", { id: `g${i}`, state: "offline" });
      vi.advanceTimersByTime(100);
    }
    stop();
    const lists = invalidate.mock.calls.filter(([filter]) => filter?.queryKey?.[0] === "gateways").length;
    expect(lists).toBe(30);
  });
  it("to places and devices is asked for", () => {
    expect(asked("site", {})).toEqual([["sites"]]);
    expect(asked("catalogue", {})).toContainEqual(["points"]);
  });
});
