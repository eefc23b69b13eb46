import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Point } from "../api/types";
import { patchCache } from "./live";
import { patchPoints } from "./patch";
import { LiveStream, type LiveEvent, type Source } from "./stream";

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
    expect(heard).toEqual(["resumed"]);
  });
  it("survives what it does not understand", () => {
    stream.start();
    expect(() => last().send("value", "no json")).not.toThrow();
  });
  it("of a hidden tab is let go and taken up again", () => {
    stream.start();
    last().onopen?.();
    stream.setHidden(true);
    vi.advanceTimersByTime(31_000);
    expect(last().closed).toBe(true);
    stream.setHidden(false);
    expect(sources).toHaveLength(2);
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
