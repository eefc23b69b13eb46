// What a gateway says of a fault in its own words, under a sentence in the reader's language. Gateways write English
// for whoever reads their logs; what kind of fault it is can be told by how it begins.
import { useI18n, type PlainKey } from "../i18n/i18n";
import "./gateway-words.css";

const KINDS: [RegExp, PlainKey][] = [
  [/^no (reply|answer)/i, "said.no_reply"],
  [/babbl/i, "said.babble"],
  [/cannot be believed|check ?sum|broke off/i, "said.bad_reply"],
  // Also a connection that is refused: no device heard of it.
  [/line is lost|cannot be (opened|used)|connect/i, "said.line"],
  [/exception|refus/i, "said.refused"],
];

export const saidKey = (words: string): PlainKey =>
  KINDS.find(([begins]) => begins.test(words))?.[1] ?? "said.other";

export function GatewayWords({ words }: { words: string | null | undefined }) {
  const { t } = useI18n();
  return words ? <Folded sentence={t(saidKey(words))} words={words} /> : null;
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
