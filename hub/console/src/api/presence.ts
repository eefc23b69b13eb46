// Whether somebody is here. Pages ask by themselves, on a clock or because the hub told of something: such a
// request must not keep a session alive that nobody uses, so it says what it is.

const HERE_MS = 60_000;
const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel"] as const;

let seen = Date.now();

export function watchPresence(target: Pick<EventTarget, "addEventListener">): void {
  for (const sign of SIGNS)
    target.addEventListener(sign, () => noteSomebody(), { capture: true, passive: true });
}

export function noteSomebody(now = Date.now()): void {
  seen = now;
}

export const isNobodyHere = (now = Date.now()): boolean => now - seen > HERE_MS;
