// Style as tests: no `any`, no barrels, features never import features, `ui/` imports nothing of ours.
import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

const features = ["about", "accounts", "commands", "gateways", "overview", "sites", "telemetry"];

export default tseslint.config(
  { ignores: ["dist", "src/api/schema.d.ts", "test-results", "playwright-report", "api-docs"] },
  ...tseslint.configs.strict,
  { ...hooks.configs.flat.recommended, files: ["src/**/*.{ts,tsx}"] },
  {
    files: ["**/*.{ts,tsx}"],
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      "no-restricted-syntax": [
        "error",
        { selector: "ExportAllDeclaration", message: "no barrels: import from the file that has it" },
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: "text only, never HTML" },
      ],
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-console": "error",
    },
  },
  {
    files: ["src/ui/**/*.{ts,tsx}"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["../*"], message: "ui/ imports nothing of ours" }] },
      ],
    },
  },
  {
    files: ["src/{api,live,format,i18n}/**/*.{ts,tsx}"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [{ group: ["**/features/**", "**/app/**", "**/ui/**"], message: "imports only go down" }],
        },
      ],
    },
  },
  ...features.map((name) => ({
    files: [`src/features/${name}/**/*.{ts,tsx}`],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              group: features.filter((f) => f !== name).map((f) => `../${f}/*`),
              message: "features never import features",
            },
            { group: ["**/app/**"], message: "a feature does not know the shell" },
          ],
        },
      ],
    },
  })),
);
