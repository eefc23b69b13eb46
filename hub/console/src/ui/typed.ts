// A text that is typed here and kept elsewhere, such as in the address. What stands in the box is always what was
// typed: the keeper learns of it when the hand rests, and never while an input method still composes.
import { useEffect, useRef, useState, type ChangeEvent, type CompositionEvent } from "react";

const REST_MS = 250;

export function useTyped(kept: string, keep: (text: string) => void) {
  const [value, setValue] = useState(kept);
  const [known, setKnown] = useState(kept);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const composing = useRef(false);
  const latest = useRef(keep);
  useEffect(() => {
    latest.current = keep;
  });
  useEffect(() => () => clearTimeout(timer.current), []);

  // Only a change from outside (a link, the way back) takes the place of what was typed.
  const [told, setTold] = useState(kept);
  if (kept !== known) {
    setKnown(kept);
    if (kept !== told) {
      setTold(kept);
      setValue(kept);
    }
  }

  const tell = (text: string) => {
    clearTimeout(timer.current);
    if (composing.current) return;
    timer.current = setTimeout(() => {
      setTold(text);
      latest.current(text);
    }, REST_MS);
  };
  return {
    value,
    onChange: (event: ChangeEvent<HTMLInputElement>) => {
      setValue(event.target.value);
      tell(event.target.value);
    },
    onCompositionStart: () => {
      composing.current = true;
    },
    onCompositionEnd: (event: CompositionEvent<HTMLInputElement>) => {
      composing.current = false;
      tell(event.currentTarget.value);
    },
  };
}
