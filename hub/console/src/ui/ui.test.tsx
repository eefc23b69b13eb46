import { act, fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type uPlot from "uplot";

import { marksOf } from "./axis-marks";
import { Boundary } from "./boundary";
import { LaneGroup } from "./lane-group";
import { pathOf } from "./sparkline";
import { useTyped } from "./typed";

describe("a box whose text is kept elsewhere", () => {
  const kept: string[] = [];
  function Box() {
    const [q, setQ] = useState("");
    const typed = useTyped(q, (text) => {
      kept.push(text);
      setQ(text);
    });
    return (
      <>
        <input aria-label="box" {...typed} />
        <button onClick={() => setQ("from outside")}>link</button>
      </>
    );
  }
  const box = () => screen.getByRole<HTMLInputElement>("textbox");
  const type = (text: string) => fireEvent.change(box(), { target: { value: text } });
  const rest = (ms: number) => act(() => vi.advanceTimersByTime(ms));

  beforeEach(() => {
    vi.useFakeTimers();
    kept.length = 0;
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("shows every letter at once and tells when the hand rests", () => {
    render(<Box />);
    type("p");
    rest(100);
    type("pu");
    rest(100);
    type("pum");
    expect(box().value).toBe("pum");
    expect(kept).toEqual([]);
    rest(300);
    expect(kept).toEqual(["pum"]);
  });
  it("keeps what is typed on while the former text comes back", () => {
    render(<Box />);
    type("pu");
    act(() => {
      vi.advanceTimersByTime(260);
      // Before React draws the kept text, the next letter is there.
      fireEvent.change(box(), { target: { value: "pum" } });
    });
    expect(box().value).toBe("pum");
  });
  it("tells nothing while an input method composes", () => {
    render(<Box />);
    fireEvent.compositionStart(box());
    type("shui");
    rest(1000);
    expect(kept).toEqual([]);
    type("水泵");
    fireEvent.compositionEnd(box());
    rest(300);
    expect(kept).toEqual(["水泵"]);
  });
  it("takes over what a link says", () => {
    render(<Box />);
    type("pump");
    rest(300);
    fireEvent.click(screen.getByRole("button"));
    expect(box().value).toBe("from outside");
  });
});

describe("a page that cannot be drawn", () => {
  const Broken = ({ is }: { is: boolean }) => {
    if (is) throw new Error("broken");
    return <p>whole</p>;
  };
  it("leaves the next page its chance, and a page that goes on keeps its state", () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const page = (at: string, broken: boolean) => (
      <Boundary at={at} fallback={() => <p>fallen</p>}>
        <input aria-label="kept" defaultValue="" />
        <Broken is={broken} />
      </Boundary>
    );
    const { rerender } = render(page("/a", false));
    const input = screen.getByRole<HTMLInputElement>("textbox");
    fireEvent.change(input, { target: { value: "typed" } });
    rerender(page("/b", false));
    expect(screen.getByRole<HTMLInputElement>("textbox")).toBe(input);
    rerender(page("/b", true));
    expect(screen.getByText("fallen")).toBeTruthy();
    rerender(page("/c", false));
    expect(screen.getByText("whole")).toBeTruthy();
  });
});

describe("a small line", () => {
  const between = { from: 0, to: 100 };
  it("stands where its time stands, and is open in a gap", () => {
    const course = { ...between, t: [0, 10, 20, 90, 100], values: [1, 2, null, 1, 2] };
    expect(pathOf(course, 102, 22)).toBe("M1.0 20.0L11.0 2.0M91.0 20.0L101.0 2.0");
  });
  it("shows a value between two gaps as a dot", () => {
    expect(pathOf({ ...between, t: [0, 10, 20], values: [1, null, 2] }, 102, 22)).toBe(
      "M1.0 20.0h0M21.0 2.0h0",
    );
  });
});

describe("marks at an axis", () => {
  it("have as many digits as tell them apart exactly", () => {
    expect(marksOf([90, 92.5, 95])).toEqual(["90.0", "92.5", "95.0"]);
    expect(marksOf([0, 50_000])).toEqual(["0", "50,000"]);
    expect(marksOf([0.1, 0.2, null, 0.30000000000000004])).toEqual(["0.1", "0.2", "", "0.3"]);
    expect(marksOf([49.995, 50])).toEqual(["49.995", "50.000"]);
  });
  it("of states are their names", () => {
    expect(marksOf([0, 1], (v) => (v === 1 ? "on" : "off"))).toEqual(["off", "on"]);
  });
});

describe("lanes under each other", () => {
  const lane = () => ({ redraw: vi.fn() }) as unknown as uPlot & { redraw: ReturnType<typeof vi.fn> };
  it("get the widest margin of them all, and are drawn again when it changes", async () => {
    const group = new LaneGroup();
    const [first, second] = [lane(), lane()];
    expect(group.width(first, "left", 40)).toBe(40);
    expect(group.width(second, "left", 70)).toBe(70);
    await Promise.resolve();
    expect(first.redraw).toHaveBeenCalledWith(true, true);
    expect(group.width(first, "left", 40)).toBe(70);
    expect(group.margin(first)).toBe(16);
    group.width(second, "right", 55);
    expect(group.margin(first)).toBe(55);
    group.leave(second);
    expect(group.width(first, "left", 40)).toBe(40);
  });
  it("do not move on under a hand", () => {
    const group = new LaneGroup();
    const moved = vi.fn();
    group.whenFree(moved);
    expect(moved).toHaveBeenCalledTimes(1);
    group.hold();
    group.whenFree(moved)();
    group.whenFree(moved);
    expect(moved).toHaveBeenCalledTimes(1);
    group.release();
    expect(moved).toHaveBeenCalledTimes(2);
  });
});
