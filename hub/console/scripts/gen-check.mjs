// Fails when the typed client is not what the hub's document says: run `npm run gen` and commit.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "steward-schema-"));
try {
  const fresh = join(folder, "schema.d.ts");
  execFileSync("npx", ["openapi-typescript", "../openapi.json", "-o", fresh], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (readFileSync(fresh, "utf8") !== readFileSync("src/api/schema.d.ts", "utf8")) {
    process.stderr.write(
      "src/api/schema.d.ts differs from hub/openapi.json; run `npm run gen` and commit it\n",
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
