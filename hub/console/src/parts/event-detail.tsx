// What else is known of a gateway's event, under the sentence of its kind.
import type { GatewayEvent } from "../api/types";
import { duration, instant } from "../format/time";
import { fill, lookup, useI18n, type I18n } from "../i18n/i18n";
import { Folded, saidKey } from "./gateway-words";

type Told = Pick<GatewayEvent, "kind" | "active" | "detail" | "facts">;

export function EventDetail({ event }: { event: Told }) {
  const i18n = useI18n();
  const { sentence, words } = told(event, i18n);
  if (words) return <Folded sentence={sentence ?? i18n.t("event.words")} words={words} />;
  return sentence ? <div className="st-quiet st-small">{sentence}</div> : null;
}

/** A sentence in the reader's language, and English words of a program where they say more. */
function told(event: Told, i18n: I18n): { sentence?: string | undefined; words?: string } {
  const { kind, active, detail } = event;
  switch (kind) {
    // Their kind says it all.
    case "device_silent":
    case "gateway_silent":
      return {};
    case "started":
      return { sentence: detail };
    // It begins with facts, and is over without any.
    case "implausible":
    case "counter_held":
    case "device_clock":
      return active ? began(event, i18n) : {};
    case "line_down":
      return active ? { sentence: i18n.t(saidKey(detail)), words: detail } : {};
    case "batch_quarantined":
      return { sentence: factsIn(event, i18n), words: detail };
    default:
      return began(event, i18n);
  }
}

/** The facts where there are some, or the words of a gateway of before. */
function began(event: Told, i18n: I18n): { sentence?: string; words?: string } {
  const sentence = factsIn(event, i18n);
  return sentence ? { sentence } : { words: event.detail };
}

/** The facts in a sentence; none of a kind without facts, and of an event from before the hub told them. */
export function factsIn({ kind, facts }: Told, { t, language }: I18n): string | undefined {
  const { ahead_ms: ahead, how, seconds, since } = facts;
  const word = (name: string, fact: unknown) =>
    lookup(language, `fact.${name}.${String(fact)}`) ?? String(fact);
  const filledOf = (key: string) => {
    const text = lookup(language, key);
    const filled = text && fill(text, slots);
    return filled?.includes("{") ? undefined : filled;
  };
  const slots: Record<string, string> =
    typeof ahead === "number"
      ? { age: duration(Math.abs(ahead), t) }
      : Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, word(name, fact)]));
  if (typeof seconds === "string") slots["age"] = duration(Number(seconds) * 1000, t);
  if (typeof since === "string") slots["since"] = instant(since);
  if (typeof how === "string") return filledOf(`event.facts.${kind}.${how}`);
  const which = typeof ahead === "number" ? (ahead > 0 ? ".ahead" : ".behind") : facts["text"] ? ".text" : "";
  return filledOf(`event.facts.${kind}${which}`);
}
