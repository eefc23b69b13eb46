// Builds the console into dist/, with the offline API page beside it and a .gz beside each asset.
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

import { plantMock } from "./e2e/mock/plugin";

const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
  "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** Copies RapiDoc's self-contained script and the page that uses it: nothing is loaded from elsewhere. */
function apiDocs(): Plugin {
  const files: Record<string, string> = {
    "index.html": "api-docs/index.html",
    "page.css": "api-docs/page.css",
    "rapidoc-min.js": "node_modules/rapidoc/dist/rapidoc-min.js",
    "rapidoc-min.js.LICENSE.txt": "node_modules/rapidoc/dist/rapidoc-min.js.LICENSE.txt",
  };
  return {
    name: "steward-api-docs",
    apply: "build",
    generateBundle() {
      for (const [name, from] of Object.entries(files)) {
        const source = readFileSync(join(import.meta.dirname, from), "utf8");
        this.emitFile({
          type: "asset",
          fileName: `api-docs/${name}`,
          source: source.replace(/\n?\/\/# sourceMappingURL=.*$/m, ""),
        });
      }
    },
  };
}

/** The hub serves `x.js.gz` where the browser takes it, so that nothing is compressed at run time. */
function gzipBeside(): Plugin {
  let out = "dist";
  return {
    name: "steward-gzip",
    apply: "build",
    configResolved(config) {
      out = join(config.root, config.build.outDir);
    },
    closeBundle() {
      for (const entry of readdirSync(out, { recursive: true, encoding: "utf8" })) {
        const file = join(out, entry);
        if (/\.(js|css|html|svg|json)$/.test(file) && statSync(file).size > 1024) {
          writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
        }
      }
    },
  };
}

const hub = process.env["STEWARD_URL"] ?? "http://127.0.0.1:8080";
const mock = process.env["STEWARD_MOCK"] === "1";
// The hub refuses what a page of another address sends: it must see the browser's own Host.
const road = mock ? {} : { proxy: { "/api": { target: hub, changeOrigin: false } } };
const server = { headers: { "Content-Security-Policy": CSP }, ...road };

export default defineConfig({
  plugins: [react(), apiDocs(), gzipBeside(), ...(mock ? [plantMock()] : [])],
  build: {
    target: "es2022",
    chunkSizeWarningLimit: 900,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "react", test: /node_modules\/(react|react-dom|scheduler)\//, priority: 3 },
            { name: "tanstack", test: /node_modules\/@tanstack\//, priority: 2 },
            { name: "uplot", test: /node_modules\/uplot\//, priority: 2 },
          ],
        },
      },
    },
  },
  server: road,
  preview: server,
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/test-setup.ts"],
    restoreMocks: true,
  },
});
