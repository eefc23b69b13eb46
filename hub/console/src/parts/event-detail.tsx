// What else is known of a gateway's event, under the sentence of its kind.
import type { GatewayEvent } from "../api/types";
import { duration } from "../format/time";
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
    case "line_down":
      return active ? { sentence: i18n.t(saidKey(detail)), words: detail } : {};
    case "batch_quarantined":
      return { sentence: factsIn(event, i18n), words: detail };
    default: {
      const sentence = factsIn(event, i18n);
      return sentence ? { sentence } : { words: detail };
    }
  }
}

/** The facts in a sentence; none of a kind without facts, and of an event from before the hub told them. */
export function factsIn({ kind, facts }: Told, { t, language }: I18n): string | undefined {
  const { ahead_ms: ahead } = facts;
  const word = (name: string, fact: unknown) =>
    lookup(language, `fact.${name}.${String(fact)}`) ?? String(fact);
  const slots: Record<string, string> =
    typeof ahead === "number"
      ? { age: duration(Math.abs(ahead), t) }
      : Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, word(name, fact)]));
  const which = typeof ahead === "number" ? (ahead > 0 ? ".ahead" : ".behind") : facts["text"] ? ".text" : "";
  const text = lookup(language, `event.facts.${kind}${which}`);
  const filled = text && fill(text, slots);
  return filled?.includes("{") ? undefined : filled;
}
