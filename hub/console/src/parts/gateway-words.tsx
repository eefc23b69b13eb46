// What a gateway says of a fault in its own words, under a sentence in the reader's language. Gateways write English
// for whoever reads their logs; what kind of fault it is can be told by how it begins.
import { useI18n, type PlainKey } from "../i18n/i18n";
import "./gateway-words.css";

const KINDS: [RegExp, PlainKey][] = [
  [/^no (reply|answer)/i, "said.no_reply"],
  [/babbl/i, "said.babble"],
  // Of a BACnet network: two with one number or one station, and what is wrong with the token or the wires.
  [/have the \w+ number|speaks as station/i, "said.number_twice"],
  [/token/i, "said.token"],
  [/cannot be (believed|understood)|check ?sum|broke off|damaged/i, "said.bad_reply"],
  // Also a connection that is refused: no device heard of it.
  [
    /line is lost|cannot be (opened|used|sent)|was closed|no such (file|device)|connect|os error/i,
    "said.line",
  ],
  [/exception|refus/i, "said.refused"],
];

export const saidKey = (words: string): PlainKey =>
  KINDS.find(([begins]) => begins.test(words))?.[1] ?? "said.other";

/** `down`: they are about a line that is down, so whatever they are they say why. */
export function GatewayWords({ words, down = false }: { words: string | null | undefined; down?: boolean }) {
  const { t } = useI18n();
  return words ? <Folded sentence={t(down ? "said.line" : saidKey(words))} words={words} /> : null;
}

/** English words of a program, folded away under the sentence where the reader reads another language. */
export function Folded({ sentence, words }: { sentence: string; words: string }) {
  const { language } = useI18n();
  return (
    <details className="st-said" open={language === "en"}>
      <summary>{sentence}</summary>
      <div className="st-quiet st-small" lang="en">
        {words}
      </div>
    </details>
  );
}
