// What a gateway says of a fault in its own words, beside a sentence in the reader's language. Gateways write English
// for whoever reads their logs; what kind of fault it is can be told by how it begins.
import { useI18n, type PlainKey } from "../i18n/i18n";

const KINDS: [RegExp, PlainKey][] = [
  [/^no (reply|answer)/i, "said.no_reply"],
  [/babbl/i, "said.babble"],
  [/cannot be believed|check ?sum|broke off/i, "said.bad_reply"],
  [/exception|refus/i, "said.refused"],
  [/line is lost|cannot be (opened|used)|connect/i, "said.line"],
];

export const saidKey = (words: string): PlainKey =>
  KINDS.find(([begins]) => begins.test(words))?.[1] ?? "said.other";

export function GatewayWords({ words }: { words: string | null | undefined }) {
  const { t } = useI18n();
  if (!words) return null;
  return (
    <>
      <div>{t(saidKey(words))}</div>
      <div className="st-quiet st-small st-said" lang="en">
        {words}
      </div>
    </>
  );
}
