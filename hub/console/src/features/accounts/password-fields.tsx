// The rules of a password, the same wherever one is chosen.
import { Form, Input, type FormItemProps } from "antd";

import { useI18n } from "../../i18n/i18n";

export const PASSWORD_MIN = 12;

export function usePasswordRules(): NonNullable<FormItemProps["rules"]> {
  const { t } = useI18n();
  return [
    { required: true, message: t("form.required") },
    { min: PASSWORD_MIN, message: t("user.password.short", { n: PASSWORD_MIN }) },
  ];
}

/** The same password once more, so that a slip of the finger locks nobody out. */
export function RepeatPassword({ of }: { of: string }) {
  const { t } = useI18n();
  return (
    <Form.Item
      name="repeat"
      label={t("user.password.repeat")}
      dependencies={[of]}
      rules={[
        { required: true, message: t("form.required") },
        ({ getFieldValue }) => ({
          validator: (_, value: string) =>
            !value || getFieldValue(of) === value
              ? Promise.resolve()
              : Promise.reject(new Error(t("user.password.differs"))),
        }),
      ]}
    >
      <Input.Password autoComplete="new-password" />
    </Form.Item>
  );
}
