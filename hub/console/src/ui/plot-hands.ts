// Hands on a plot: shift and drag pans, Ctrl and wheel zooms about the pointer; a finger pans, two fingers zoom.
import type uPlot from "uplot";

import type { LaneGroup } from "./lane-group";

const WHEEL_ZOOM = 0.8;
const SETTLE_MS = 180;
const FINGER_REST_PX = 6;

export interface Handling {
  group: LaneGroup;
  /** What is shown while the hand still moves. */
  moving: { current: [number, number] | undefined };
  /** The hand rests: the address takes the window. */
  onWindow: (from: number, to: number) => void;
}

export function hands(u: uPlot, { group, moving, onWindow }: Handling): void {
  let settle: ReturnType<typeof setTimeout> | undefined;
  const show = (from: number, to: number) => {
    if (!(to > from)) return;
    moving.current = [from, to];
    u.setScale("x", { min: from, max: to });
    if (settle === undefined) group.hold();
    clearTimeout(settle);
    settle = setTimeout(() => {
      settle = undefined;
      onWindow(from, to);
      group.release();
    }, SETTLE_MS);
  };
  const windowNow = (): [number, number] => [u.scales["x"]?.min ?? 0, u.scales["x"]?.max ?? 1];

  u.over.addEventListener(
    "mousedown",
    (down) => {
      if (down.button !== 0) return;
      group.hold();
      // uPlot hears the button first: what was marked is read off before the lanes move on.
      const onUp = () => {
        document.removeEventListener("mousemove", onMove);
        setTimeout(() => group.release(), 0);
      };
      document.addEventListener("mouseup", onUp, { once: true });
      const onMove = pan(down.clientX);
      if (!down.shiftKey) return;
      down.preventDefault();
      down.stopImmediatePropagation();
      document.addEventListener("mousemove", onMove);
    },
    { capture: true },
  );
  function pan(start: number): (move: { clientX: number }) => void {
    const [from, to] = windowNow();
    const perPixel = (to - from) / u.over.clientWidth;
    return (move) => show(from + (start - move.clientX) * perPixel, to + (start - move.clientX) * perPixel);
  }

  u.over.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const [from, to] = windowNow();
      const at = u.posToVal(event.offsetX, "x");
      const by = event.deltaY < 0 ? WHEEL_ZOOM : 1 / WHEEL_ZOOM;
      show(at - (at - from) * by, at + (to - at) * by);
    },
    { passive: false },
  );
  fingers(u, show, windowNow);
}

/** What was under each finger when it came down stays under it. Up and down is the page's own scrolling. */
function fingers(
  u: uPlot,
  show: (from: number, to: number) => void,
  windowNow: () => [number, number],
): void {
  const down = new Map<number, { began: number; x: number; value: number }>();
  const place = (event: PointerEvent) => event.clientX - u.over.getBoundingClientRect().left;
  const grasp = () => {
    for (const finger of down.values()) {
      finger.began = finger.x;
      finger.value = u.posToVal(finger.x, "x");
    }
  };
  u.over.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch" || down.size === 2) return;
    down.set(event.pointerId, { began: 0, x: place(event), value: 0 });
    u.over.setPointerCapture(event.pointerId);
    grasp();
  });
  u.over.addEventListener("pointermove", (event) => {
    const finger = down.get(event.pointerId);
    if (!finger) return;
    finger.x = place(event);
    const [first, second] = [...down.values()];
    const [from, to] = windowNow();
    const wide = u.over.clientWidth;
    if (first && second) {
      if (Math.abs(second.x - first.x) < FINGER_REST_PX) return;
      const perPixel = (second.value - first.value) / (second.x - first.x);
      if (perPixel > 0) show(first.value - first.x * perPixel, first.value + (wide - first.x) * perPixel);
    } else if (first && Math.abs(first.x - first.began) > FINGER_REST_PX) {
      const perPixel = (to - from) / wide;
      show(first.value - first.x * perPixel, first.value + (wide - first.x) * perPixel);
    }
  });
  const lift = (event: PointerEvent) => {
    if (down.delete(event.pointerId)) grasp();
  };
  u.over.addEventListener("pointerup", lift);
  u.over.addEventListener("pointercancel", lift);
}
