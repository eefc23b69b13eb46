// A button that may not be used says why, instead of being hidden. It can still be come upon: one that is disabled
// cannot be focused, and nobody without a mouse would learn the reason.
import { Button, Tooltip, type ButtonProps } from "antd";
import { useId } from "react";

import { useI18n } from "../i18n/i18n";
import type { May } from "./session";
import "./guarded.css";

export function Guarded({ may, ...button }: ButtonProps & { may: May }) {
  const { t } = useI18n();
  const reason = useId();
  if (may.allowed) return <Button {...button} />;
  const why = may.why && t(may.why);
  return (
    <>
      <Tooltip title={why} trigger={["hover", "focus"]}>
        <Button
          {...button}
          type={button.type === "text" ? "text" : "default"}
          danger={false}
          onClick={(event) => event.preventDefault()}
          className={`st-refused ${button.className ?? ""}`}
          aria-disabled="true"
          aria-describedby={reason}
        />
      </Tooltip>
      <span id={reason} hidden>
        {why}
      </span>
    </>
  );
}
