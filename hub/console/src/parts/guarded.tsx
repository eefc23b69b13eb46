// A button that is disabled with its reason, instead of hidden.
import { Button, Tooltip, type ButtonProps } from "antd";

import { useI18n } from "../i18n/i18n";
import type { May } from "./session";

export function Guarded({ may, ...button }: ButtonProps & { may: May }) {
  const { t } = useI18n();
  if (may.allowed) return <Button {...button} />;
  return (
    <Tooltip title={may.why && t(may.why)}>
      <span>
        <Button {...button} disabled />
      </span>
    </Tooltip>
  );
}
