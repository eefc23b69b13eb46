// What lanes under each other share: the width of their axes, so that one instant is one pixel on all of them, and
// the hand that holds one of them, so that none moves on under it.
import type uPlot from "uplot";

type Side = "left" | "right";
const TICKS_AT_RIGHT = 16;

export class LaneGroup {
  private readonly needs = new Map<uPlot, Record<Side, number>>();
  private readonly waiting = new Set<() => void>();
  private hands = 0;

  leave(plot: uPlot): void {
    this.needs.delete(plot);
    this.settle(plot);
  }

  /** Notes what a lane needs at a side, and answers what all of them get. */
  width(plot: uPlot, side: Side, own: number): number {
    const before = this.widest(side);
    const need = this.needs.get(plot) ?? { left: 0, right: 0 };
    need[side] = own;
    this.needs.set(plot, need);
    const now = this.widest(side);
    // uPlot asks while it lays this lane out: the others follow when it is done.
    if (now !== before) queueMicrotask(() => this.settle(plot));
    return now;
  }

  /** The free margin of a lane that has no axis at the right. */
  margin(plot: uPlot): number {
    return Math.max(TICKS_AT_RIGHT, this.width(plot, "right", 0));
  }

  hold(): void {
    this.hands += 1;
  }

  release(): void {
    this.hands = Math.max(0, this.hands - 1);
    if (this.hands > 0) return;
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const each of waiting) each();
  }

  /** Now, or when the hand lets go. */
  whenFree(act: () => void): () => void {
    if (this.hands === 0) {
      act();
      return () => undefined;
    }
    this.waiting.add(act);
    return () => this.waiting.delete(act);
  }

  private widest(side: Side): number {
    return Math.max(0, ...[...this.needs.values()].map((need) => need[side]));
  }

  private settle(but: uPlot): void {
    for (const plot of this.needs.keys()) if (plot !== but) plot.redraw(true, true);
  }
}
