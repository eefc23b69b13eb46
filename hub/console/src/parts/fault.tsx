// One error, one place: what happened, what to do, and the number that the log knows it by.
import { Alert, Button } from "antd";

import { isProblem, type FieldFault } from "../api/problem";
import { instant } from "../format/time";
import { fill, lookup, useI18n, type I18n } from "../i18n/i18n";

/** The sentence for an error: by the problem's code, else by its status, else a general one. */
export function faultText(error: unknown, i18n: I18n): string {
  if (!isProblem(error)) return i18n.t("problem.unexpected");
  const slots = { ...error.params, until: error.retryAt ? instant(error.retryAt) : "", detail: error.detail };
  const text =
    lookup(i18n.language, `problem.${error.code}`) ??
    lookup(i18n.language, `problem.status_${error.status}`) ??
    i18n.t("problem.unexpected");
  return fill(text, slots);
}

function fieldText(fault: FieldFault, { language }: I18n): string {
  const name = lookup(language, `field.name.${fault.pointer}`) ?? fault.pointer.replace(/^[#/?]+/, "");
  return `${name}: ${lookup(language, `field.${fault.code}`) ?? fault.detail}`;
}

export function Fault({ error, again }: { error: unknown; again?: () => void }) {
  const i18n = useI18n();
  const { t } = i18n;
  const problem = isProblem(error) ? error : undefined;
  const reference = problem?.status === 500 ? problem.reference : undefined;
  return (
    <Alert
      type="error"
      showIcon
      role="alert"
      title={faultText(error, i18n)}
      description={
        (problem?.fields.length ?? 0) > 0 || reference ? (
          <>
            {problem?.fields.map((f) => (
              <div key={f.pointer + f.detail}>{fieldText(f, i18n)}</div>
            ))}
            {reference && <div>{t("problem.reference", { id: reference })}</div>}
          </>
        ) : undefined
      }
      action={again && <Button onClick={again}>{t("act.retry")}</Button>}
    />
  );
}
